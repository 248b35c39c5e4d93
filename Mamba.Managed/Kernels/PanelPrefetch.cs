namespace Mamba.Managed.Kernels;

/// <summary>Panels that are needed after those at hand, as they lie in memory: fetched meanwhile, a line now and then.</summary>
/// <param name="first">The first of what is needed of a panel, or null if there is none.</param>
/// <param name="pitch">Bytes from one panel to the next.</param>
/// <param name="bytes">Bytes that are needed of each.</param>
internal readonly unsafe struct PanelPrefetch(byte* first, nint pitch, nint bytes)
{
    public byte* First { get; } = first;

    public nint Pitch { get; } = pitch;

    public nint Bytes { get; } = bytes;

    /// <summary>The same of the panel after the first.</summary>
    public PanelPrefetch Next => new(First + Pitch, Pitch, Bytes);

    /// <summary>What falls to the rows [start, end) of so many, that each tile fetches its part.</summary>
    public PanelPrefetch Part(int start, int end, int rows)
    {
        nint from = Bytes * start / rows;
        return new(First + from, Pitch, (Bytes * end / rows) - from);
    }
}
