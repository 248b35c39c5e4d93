using ILGPU;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The sequences of a pass.</summary>
/// <param name="Items">In ascending order of their columns, none overlapping another.</param>
/// <param name="Longest">Tokens of the longest.</param>
internal readonly record struct SegmentList(ArrayView<Segment> Items, int Longest)
{
    /// <summary>Sequences.</summary>
    public int Count => (int)Items.Length;
}
