using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>The activations of a step, [sequences, features] in float32: a sequence's features lie side by side, as the weights of an output do.</summary>
/// <remarks>There is memory for whole tiles of sequences, and what stands there for sequences that are not is finite.</remarks>
internal sealed class StepBuffers : IDisposable
{
    /// <summary>Sequences of the widest tile.</summary>
    public const int Tile = 32;

    /// <summary>What a product may read beyond the last sequence's features, times weights that are zero.</summary>
    private const int Overrun = 32;

    private readonly GpuSession session;
    private readonly DeviceMemory memory;
    private readonly PageLockedArray1D<int> staged;
    private readonly ArrayView<int> inputs;

    /// <summary>Takes the memory.</summary>
    /// <param name="session">Where it lies.</param>
    /// <param name="shape">The model's sizes.</param>
    /// <param name="sequences">The most sequences of a step.</param>
    public StepBuffers(GpuSession session, ModelShape shape, int sequences)
    {
        this.session = session;
        Sequences = sequences;
        Capacity = Padding.Up(sequences, Tile);
        memory = new(session);
        inputs = memory.Take<int>(2L * Capacity);
        staged = session.Accelerator.AllocatePageLocked1D<int>(2L * Capacity);
        Residual = Take(shape.Features);
        Normalized = Take(shape.Features);
        Mixed = Take(shape.Channels);
        Gate = Take(shape.Channels);
        Projected = Take(shape.Projected);
        Gated = Take(shape.Channels);
    }

    /// <summary>The most sequences of a step.</summary>
    public int Sequences { get; }

    /// <summary>Sequences for which there is memory.</summary>
    public int Capacity { get; }

    /// <summary>[capacity]: a token each.</summary>
    public ArrayView<int> Tokens => inputs.SubView(0, Capacity);

    /// <summary>[capacity]: where each state lies in the pool; -1 for sequences that are not there.</summary>
    public ArrayView<int> Slots => inputs.SubView(Capacity, Capacity);

    /// <summary>[capacity, features]: the residual stream.</summary>
    public ArrayView<float> Residual { get; }

    /// <summary>[capacity, features]: the residual stream after a norm.</summary>
    public ArrayView<float> Normalized { get; }

    /// <summary>[capacity, channels]: the scan's input, after convolution and SiLU.</summary>
    public ArrayView<float> Mixed { get; }

    /// <summary>[capacity, channels]: the gate, before SiLU.</summary>
    public ArrayView<float> Gate { get; }

    /// <summary>[capacity, rank + 2 * states]: dt, B, C.</summary>
    public ArrayView<float> Projected { get; }

    /// <summary>[capacity, channels]: the scan's output times the gate.</summary>
    public ArrayView<float> Gated { get; }

    /// <summary>Sends tokens and slots to the device.</summary>
    public void Send(ReadOnlySpan<int> tokens, ReadOnlySpan<int> slots)
    {
        // The step before may still read the staging memory.
        session.Synchronize();
        Span<int> target = staged.Span;
        target[..Capacity].Clear();
        target[Capacity..].Fill(-1);
        tokens.CopyTo(target);
        slots.CopyTo(target[Capacity..]);
        inputs.CopyFromPageLockedAsync(session.Stream, staged);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        session.Synchronize();
        staged.Dispose();
        memory.Dispose();
    }

    private ArrayView<float> Take(int features) => memory.Take<float>(((long)Capacity * features) + Overrun);
}
