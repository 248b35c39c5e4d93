using ILGPU;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Where one layer's part of every sequence's state lies: at <see cref="Segment.Slot"/> * StateLength + Offset of the pool.</summary>
/// <param name="Pool">[slots, StateLength], float32; empty where there are no states.</param>
/// <param name="StateLength">Numbers of a whole state, a multiple of 4.</param>
/// <param name="Offset">Of the layer's part in a state, a multiple of 4.</param>
internal readonly record struct StateSlots(ArrayView<float> Pool, long StateLength, long Offset)
{
    /// <summary>No states: they count as zero and are not written.</summary>
    public static StateSlots None => new(ArrayView<float>.Empty, 0, 0);

    /// <summary>Whether there are states.</summary>
    public bool Exist => Pool.Length > 0;
}
