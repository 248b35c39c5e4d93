namespace Mamba.Managed.Kernels;

/// <summary>Panels that are needed after those at hand, as they lie in memory: fetched meanwhile.</summary>
/// <param name="first">The first, or null if there is none.</param>
/// <param name="pitch">Bytes from one to the next.</param>
/// <param name="termBytes">Bytes that one takes for each term of a sum.</param>
internal readonly unsafe struct PanelsAhead(byte* first, nint pitch, int termBytes)
{
    public byte* First { get; } = first;

    public nint Pitch { get; } = pitch;

    public int TermBytes { get; } = termBytes;
}
