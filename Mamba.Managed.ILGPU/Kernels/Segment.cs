using System.Runtime.InteropServices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>One sequence's part of a pass.</summary>
/// <param name="start">Its first column, a multiple of <see cref="Padding.Sequence"/>.</param>
/// <param name="length">Its tokens; columns from there to the next sequence's first are padding and hold zeros.</param>
/// <param name="slot">Where its state lies, in states from the beginning of the pool.</param>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct Segment(int start, int length, int slot)
{
    public readonly int Start = start;
    public readonly int Length = length;
    public readonly int Slot = slot;
}
