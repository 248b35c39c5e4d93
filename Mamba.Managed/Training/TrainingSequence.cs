using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Layers;

namespace Mamba.Managed.Training;

/// <summary>The rows of one sequence within a batch, and its states.</summary>
/// <param name="Start">The first row.</param>
/// <param name="Length">How many rows.</param>
/// <param name="Checkpoint">The index of its first checkpoint among those of the batch.</param>
/// <param name="States">The state of each layer, or null if the sequence begins at zero.</param>
/// <param name="StateGradients">The gradient of each layer's state, or null.</param>
internal readonly unsafe record struct TrainingSequence(int Start, int Length, int Checkpoint, MixerState[]? States, MixerState[]? StateGradients)
{
    public float* ConvState(int layer) => Pointer(States![layer].ConvState);

    public float* SsmState(int layer) => Pointer(States![layer].SsmState);

    public float* ConvStateGradient(int layer) => StateGradients is null ? null : Pointer(StateGradients[layer].ConvState);

    public float* SsmStateGradient(int layer) => StateGradients is null ? null : Pointer(StateGradients[layer].SsmState);

    // States are in native memory, which the garbage collector does not move.
    private static float* Pointer(Span<float> span) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(span));
}
