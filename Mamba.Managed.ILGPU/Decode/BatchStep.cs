using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>A step of several sequences on an NVIDIA GPU: five launches a layer, of which the three large ones read weights once.</summary>
internal sealed class BatchStep : IDisposable
{
    private const int WeightChunkBytes = 64;

    private readonly GpuSession session;
    private readonly DeviceWeights weights;
    private readonly ModelShape shape;
    private readonly StepBuffers buffers;
    private readonly DeviceMemory memory;
    private readonly BatchKernels kernels;
    private readonly int projectedParts;
    private readonly int outputParts;
    private readonly ArrayView<float> projectedSums;
    private readonly ArrayView<float> outputSums;

    /// <summary>Prepares steps of a model.</summary>
    /// <param name="session">Where they run.</param>
    /// <param name="weights">The model.</param>
    /// <param name="buffers">The activations; tokens and slots have been sent before a step.</param>
    /// <param name="kernels">What is launched.</param>
    public BatchStep(GpuSession session, DeviceWeights weights, StepBuffers buffers, BatchKernels kernels)
    {
        this.session = session;
        this.weights = weights;
        this.buffers = buffers;
        this.kernels = kernels;
        shape = weights.Shape;
        projectedParts = Parts(shape.Projected);
        outputParts = Parts(shape.Features);
        memory = new(session);
        projectedSums = memory.Take<float>((long)projectedParts * buffers.Capacity * shape.Projected);
        outputSums = memory.Take<float>((long)outputParts * buffers.Capacity * shape.Features);
    }

    private int WeightsPerUnit => weights.Type == NumberType.BFloat16 ? 8 : 4;

    private int ChannelChunks => Chunks(shape.Channels);

    /// <summary>Moves the states on by one token each.</summary>
    /// <param name="count">How many sequences, those included that are not there and have slot -1.</param>
    /// <param name="pool">The states, <see cref="ModelShape.StateLength"/> numbers each.</param>
    /// <param name="logits">[sequences, <see cref="ModelShape.LogitPitch"/>], or empty: none are wanted then.</param>
    public void Run(int count, ArrayView<float> pool, ArrayView<float> logits)
    {
        for (int i = 0; i < weights.Layers.Length; i++)
        {
            LayerWeights layer = weights.Layers[i];
            Normalize(i == 0 ? null : weights.Layers[i - 1], layer.Norm, count);
            Project(layer, i, count, pool);
            Advance(layer, i, count, pool);
            kernels.Output.Launch(count, outputParts, Product(layer.OutProj, buffers.Gated, shape.Channels, outputParts, count) with
            {
                Target = outputSums, TargetPitch = shape.Features, TargetSequences = buffers.Capacity,
            });
        }

        if (logits.Length > 0)
        {
            Normalize(weights.Layers[^1], weights.NormF, count);
            kernels.Head.Launch(count, 1, Product(weights.Head, buffers.Normalized, shape.Features, 1, count) with
            {
                Target = logits, TargetPitch = shape.LogitPitch,
            });
        }
    }

    /// <summary>Compiles what a step of a number of sequences launches.</summary>
    public void Prepare(int count)
    {
        kernels.Input.Prepare(count);
        kernels.Output.Prepare(count);
        kernels.Head.Prepare(count);
        _ = session.Grouped<StepNormKernel.Arguments>(StepNormKernel.Run, StepNormKernel.Threads);
        _ = session.Grouped(kernels.Advance, StepAdvanceKernels.Threads, StepAdvanceKernels.Groups);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        session.Synchronize();
        memory.Dispose();
    }

    private void Normalize(LayerWeights? before, ArrayView<float> weight, int count) => session.Grouped<StepNormKernel.Arguments>(StepNormKernel.Run, StepNormKernel.Threads)(new KernelConfig(count, StepNormKernel.Threads), new()
    {
        Table = weights.Embedding.Data, TablePitch = weights.Embedding.Pitch, IsBFloat16 = weights.Type == NumberType.BFloat16 ? 1 : 0,
        Tokens = buffers.Tokens, Residual = Units(buffers.Residual), Normalized = Units(buffers.Normalized),
        Sums = Units(outputSums), Parts = before is null ? 0 : outputParts, Sequences = buffers.Capacity, Bias = before is null ? ArrayView<Float4>.Empty : Units(before.OutBias),
        Weight = Units(weight), Features = shape.Features, Count = shape.Config.DModel, Epsilon = shape.Config.NormEpsilon,
    });

    private void Project(LayerWeights layer, int index, int count, ArrayView<float> pool)
    {
        kernels.Input.Launch(count, 1, Product(layer.InProj, buffers.Normalized, shape.Features, 1, count) with
        {
            Convolution = new()
            {
                InBias = layer.InBias, Weight = layer.ConvWeight, Bias = layer.ConvBias, Width = shape.Config.DConv,
                Pool = pool, StateLength = shape.StateLength, StateOffset = shape.ConvOffset(index),
                Mixed = buffers.Mixed, Gate = buffers.Gate, Channels = shape.Channels,
            },
        });
        kernels.Output.Launch(count, projectedParts, Product(layer.XProj, buffers.Mixed, shape.Channels, projectedParts, count) with
        {
            Target = projectedSums, TargetPitch = shape.Projected, TargetSequences = buffers.Capacity,
        });
    }

    private void Advance(LayerWeights layer, int index, int count, ArrayView<float> pool)
    {
        Index3D grid = new((shape.Channels + StepAdvanceKernels.Channels - 1) / StepAdvanceKernels.Channels, (count + StepAdvanceKernels.Sequences - 1) / StepAdvanceKernels.Sequences, 1);
        session.Grouped(kernels.Advance, StepAdvanceKernels.Threads, StepAdvanceKernels.Groups)(new KernelConfig(grid, new Index3D(StepAdvanceKernels.Threads, 1, 1)), new()
        {
            Sums = Units(projectedSums), Parts = projectedParts, PartSequences = buffers.Capacity, Projected = shape.Projected,
            DtProj = layer.DtProj.Data, DtPitch = layer.DtProj.Pitch / WeightsPerUnit, DtBias = layer.DtBias, A2 = layer.A2.Cast<Float4>(), D = layer.D,
            Mixed = buffers.Mixed, Gate = buffers.Gate, Gated = buffers.Gated, Channels = shape.Channels, Rank = shape.Rank, States = shape.States,
            Pool = pool.Cast<Float4>(), StateLength = shape.StateLength, StateOffset = shape.ScanOffset(index),
            Slots = buffers.Slots, Sequences = count, Norms = MixerNorms.Of(shape.Config),
        });
    }

    private StepProductArguments Product(DeviceMatrix matrix, ArrayView<float> input, int inputs, int parts, int count) => new()
    {
        Weights = matrix.Data, WeightPitch = matrix.Pitch / WeightsPerUnit, Rows = matrix.Rows,
        Input = Units(input), InputPitch = inputs / 4,
        Slots = buffers.Slots, Sequences = count, Chunks = Chunks(inputs), PartChunks = (Chunks(inputs) + parts - 1) / parts,
    };

    private static ArrayView<Float4> Units(ArrayView<float> view) => view.Cast<Float4>();

    private int Chunks(int inputs) => (inputs + (WeightsPerUnit * WeightChunkBytes / 16) - 1) / (WeightsPerUnit * WeightChunkBytes / 16);

    /// <summary>Parts of the channels in which a product of few rows is summed: as many groups as run at a time, and two chunks at least for each warp.</summary>
    private int Parts(int rows)
    {
        StepProductShape tile = kernels.Output.Shape;
        int groups = (rows + tile.Rows - 1) / tile.Rows;
        int wanted = tile.Groups * session.Accelerator.NumMultiprocessors / groups;
        return Math.Clamp(Math.Min(wanted, ChannelChunks / (2 * tile.Warps)), 1, StepNormKernel.MostParts);
    }
}
