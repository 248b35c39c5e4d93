using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>A step by the fastest way that device, model and number of sequences allow.</summary>
internal sealed class StepPass : IDisposable
{
    private readonly GpuSession session;
    private readonly StatePool pool;
    private readonly StepBuffers buffers;
    private readonly StepWay? only;
    private readonly PlainStep? plain;
    private readonly BatchStep? batch;
    private readonly StepGraphs? graphs;
    private readonly PersistentStep? persistent;

    /// <summary>Prepares steps of a model.</summary>
    /// <param name="session">Where they run.</param>
    /// <param name="weights">The model.</param>
    /// <param name="pool">The sequences' states.</param>
    /// <param name="sequences">The most sequences of a step.</param>
    /// <param name="only">The only way to take; null: the fastest.</param>
    /// <exception cref="GpuException">The device has too little memory, or the model is too wide for bfloat16 weights.</exception>
    public StepPass(GpuSession session, DeviceWeights weights, StatePool pool, int sequences, StepWay? only = null)
    {
        this.session = session;
        this.pool = pool;
        this.only = only;
        buffers = new(session, weights.Shape, sequences);
        if (session.IsFast && weights.Shape.Projected <= StepAdvanceKernels.MaxProjected && only != StepWay.Plain)
        {
            batch = new(session, weights, buffers, BatchKernels.Of(session, weights.Type));
            graphs = CudaDriver.Exists ? new(session, batch) : null;
            persistent = CanPersist(weights) ? new(session, weights, buffers, PersistentStep.KernelFor(weights.Type)) : null;
        }
        else
        {
            CheckIsFloat32(weights);
            plain = new(session, weights, buffers);
        }
    }

    /// <summary>The most sequences of one call.</summary>
    public int MaxRows => buffers.Sequences;

    /// <summary>Moves states on by one token each. Asynchronous on the session's stream; the spans are copied before it returns.</summary>
    /// <param name="tokens">[sequences]: ids of the vocabulary.</param>
    /// <param name="slots">[sequences]: where each state lies in the pool; all different.</param>
    /// <param name="logits">
    /// [sequences, <see cref="ModelShape.LogitPitch"/>] in device memory, and more behind them; entries beyond vocab_size may hold anything. Empty where none are
    /// wanted: the head is not computed then.
    /// </param>
    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<int> slots, ArrayView<float> logits)
    {
        buffers.Send(tokens, slots);
        Advance(tokens.Length, logits);
    }

    /// <summary>As <see cref="Run"/>, for the tokens and slots that are on the device already.</summary>
    public void Advance(int count, ArrayView<float> logits)
    {
        switch (WayFor(count))
        {
            case StepWay.Persistent:
                persistent!.Run(pool.View, logits);
                break;
            case StepWay.Graph:
                graphs!.Run(Rounded(count), pool.View, logits);
                break;
            case StepWay.Launches:
                batch!.Run(count, pool.View, logits);
                break;
            default:
                plain!.Run(count, pool.View, logits);
                break;
        }
    }

    /// <summary>Makes each sequence's likeliest token the next step's, on the device.</summary>
    public void TakeLikeliest(int count, ModelShape shape, ArrayView<float> logits) =>
        session.Grouped<LikeliestKernel.Arguments>(LikeliestKernel.Run, LikeliestKernel.Threads)(new(count, LikeliestKernel.Threads), new()
        {
            Logits = logits, Tokens = buffers.Tokens, Pitch = shape.LogitPitch, Vocabulary = shape.Config.VocabSize,
        });

    /// <inheritdoc/>
    public void Dispose()
    {
        persistent?.Dispose();
        graphs?.Dispose();
        batch?.Dispose();
        buffers.Dispose();
    }

    /// <summary>The way that a step of a number of sequences takes.</summary>
    public StepWay WayFor(int count) =>
        plain is not null ? StepWay.Plain
        : graphs is null || only == StepWay.Launches ? StepWay.Launches
        : persistent is null || only == StepWay.Graph || count > 1 ? StepWay.Graph
        : StepWay.Persistent;

    private bool CanPersist(DeviceWeights weights) =>
        (only ?? StepWay.Persistent) == StepWay.Persistent
        && CudaDriver.Exists
        && PersistentStep.Fits(weights.Shape, session.Accelerator.NumMultiprocessors)
        && PersistentStep.AllRun(session, weights.Type);

    /// <summary>The number of sequences of the graph that serves: the next power of two, beyond 8 the next multiple of 8.</summary>
    private int Rounded(int count) =>
        Math.Min(buffers.Capacity, count <= 8 ? (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count) : Padding.Up(count, 8));

    private static void CheckIsFloat32(DeviceWeights weights)
    {
        if (weights.Type != NumberType.Float32)
        {
            throw new GpuException(
                $"expected dt_rank + 2 * d_state of at most {StepAdvanceKernels.MaxProjected} for bfloat16 weights, found {weights.Shape.Projected}; use float32 weights");
        }
    }
}
