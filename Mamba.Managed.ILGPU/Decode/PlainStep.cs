using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>A step as it runs on every device: four launches a layer, one work item per output. Weights are float32.</summary>
/// <param name="session">Where it runs.</param>
/// <param name="weights">The model.</param>
/// <param name="buffers">The activations; tokens and slots have been sent.</param>
internal sealed class PlainStep(GpuSession session, DeviceWeights weights, StepBuffers buffers)
{
    private readonly ModelShape shape = weights.Shape;

    /// <summary>Moves the states on by one token each.</summary>
    /// <param name="count">How many sequences.</param>
    /// <param name="pool">The states, <see cref="ModelShape.StateLength"/> numbers each.</param>
    /// <param name="logits">[sequences, <see cref="ModelShape.LogitPitch"/>], or empty: none are wanted then.</param>
    public void Run(int count, ArrayView<float> pool, ArrayView<float> logits)
    {
        session.Plain<PlainStepKernels.EmbedArguments>(PlainStepKernels.Embed)(count * shape.Features, new()
        {
            Table = new(weights.Embedding), Tokens = buffers.Tokens, Residual = buffers.Residual, Features = shape.Features,
        });
        for (int layer = 0; layer < weights.Layers.Length; layer++)
        {
            RunLayer(weights.Layers[layer], layer, count, pool);
        }

        if (logits.Length > 0)
        {
            session.Plain<PlainStepKernels.HeadArguments>(PlainStepKernels.Head)(count * shape.Vocabulary, new()
            {
                Head = new(weights.Head), Input = Normalized(weights.NormF), Logits = logits, Pitch = shape.LogitPitch, Sequences = count,
            });
        }
    }

    private void RunLayer(LayerWeights layer, int index, int count, ArrayView<float> pool)
    {
        session.Plain<PlainStepKernels.InputArguments>(PlainStepKernels.Input)(2 * shape.Channels * count, new()
        {
            InProj = new(layer.InProj), Input = Normalized(layer.Norm), Bias = layer.InBias,
            ConvWeight = layer.ConvWeight, ConvBias = layer.ConvBias, Convolution = shape.Config.DConv,
            Pool = pool, Slots = buffers.Slots, StateLength = shape.StateLength, StateOffset = shape.ConvOffset(index),
            Mixed = buffers.Mixed, Gate = buffers.Gate, Channels = shape.Channels, Sequences = count,
        });
        session.Plain<PlainStepKernels.ProjectArguments>(PlainStepKernels.Project)(shape.Projected * count, new()
        {
            XProj = new(layer.XProj), Mixed = buffers.Mixed, Projected = buffers.Projected, Channels = shape.Channels, Outputs = shape.Projected, Sequences = count,
        });
        session.Plain<PlainStepKernels.AdvanceArguments>(PlainStepKernels.Advance)(shape.Channels * count, new()
        {
            DtProj = new(layer.DtProj), DtBias = layer.DtBias, A2 = layer.A2, D = layer.D,
            Mixed = buffers.Mixed, Gate = buffers.Gate, Projected = buffers.Projected, Gated = buffers.Gated,
            Pool = pool, Slots = buffers.Slots, StateLength = shape.StateLength, StateOffset = shape.ScanOffset(index),
            Channels = shape.Channels, Rank = shape.Rank, States = shape.States, Sequences = count, Norms = MixerNorms.Of(shape.Config),
        });
        session.Plain<PlainStepKernels.OutputArguments>(PlainStepKernels.Output)(shape.Features * count, new()
        {
            OutProj = new(layer.OutProj), Bias = layer.OutBias, Gated = buffers.Gated, Residual = buffers.Residual,
            Channels = shape.Channels, Features = shape.Features, Sequences = count,
        });
    }

    private PlainStepKernels.Normalized Normalized(ArrayView<float> weight) => new()
    {
        Residual = buffers.Residual, Weight = weight, Features = shape.Features, Count = shape.Config.DModel, Epsilon = shape.Config.NormEpsilon,
    };
}
