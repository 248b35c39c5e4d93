namespace Mamba.Managed.Kernels;

/// <summary>Panels to prefetch for the next work item, a cache line at a time while the present one is computed.</summary>
/// <param name="first">The first byte to prefetch, or null for nothing.</param>
/// <param name="pitch">Bytes from one panel to the next.</param>
/// <param name="bytes">Bytes to prefetch of each panel.</param>
internal readonly unsafe struct PanelPrefetch(byte* first, nint pitch, nint bytes)
{
    public byte* First { get; } = first;

    public nint Pitch { get; } = pitch;

    public nint Bytes { get; } = bytes;

    /// <summary>The same part of the panel that follows.</summary>
    public PanelPrefetch Next => new(First + Pitch, Pitch, Bytes);

    /// <summary>The share of the rows [start, end) of <paramref name="rows"/>, so that each tile prefetches its part.</summary>
    public PanelPrefetch Part(int start, int end, int rows)
    {
        nint from = Bytes * start / rows;
        return new(First + from, Pitch, (Bytes * end / rows) - from);
    }
}
