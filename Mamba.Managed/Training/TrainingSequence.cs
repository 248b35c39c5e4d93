using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Layers;

namespace Mamba.Managed.Training;

/// <summary>Rows of one sequence within a batch.</summary>
/// <param name="Start">The first row.</param>
/// <param name="Length">How many rows.</param>
/// <param name="Checkpoint">Its first checkpoint among those of the batch.</param>
/// <param name="States">The state of each layer, or null where the sequence begins at zero.</param>
/// <param name="StateGradients">The gradient of each layer's state, or null.</param>
internal readonly unsafe record struct TrainingSequence(int Start, int Length, int Checkpoint, MixerState[]? States, MixerState[]? StateGradients)
{
    public float* Window(int layer) => Pointer(States![layer].ConvState);

    public float* State(int layer) => Pointer(States![layer].SsmState);

    public float* ConvStateGradient(int layer) => StateGradients is null ? null : Pointer(StateGradients[layer].ConvState);

    public float* StateGradient(int layer) => StateGradients is null ? null : Pointer(StateGradients[layer].SsmState);

    // States lie in memory that does not move.
    private static float* Pointer(Span<float> span) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(span));
}
