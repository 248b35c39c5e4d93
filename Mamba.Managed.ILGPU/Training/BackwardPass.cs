using ILGPU;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>The backward pass: from the gradient of the last residual to those of all parameters.</summary>
/// <remarks>
/// Every gradient of an activation is zero in padding columns: that of the logits is, products and norms keep it so, and scan and convolution
/// write zeros. So the sums over tokens are those of the batch.
/// </remarks>
internal static class BackwardPass
{
    /// <summary>Runs after the head.</summary>
    public static void Run(PassContext pass)
    {
        TrainingActivations memory = pass.Memory;
        for (int layer = pass.Config.NLayer - 1; layer >= 0; layer--)
        {
            Block(pass, layer);
        }

        EmbeddingGradient.Add(
            pass.Session,
            memory.ResidualGradient,
            memory.SortedColumns.SubView(0, pass.Columns.Count),
            memory.DistinctTokens.SubView(0, pass.Columns.DistinctTokens.Length),
            memory.Starts.SubView(0, pass.Columns.Starts.Length),
            pass.Gradients!.Embedding);
    }

    /// <summary>From the gradient of a norm's output to that of its scale, and to that of the residual, to which it is added or which it begins.</summary>
    public static void Norm(PassContext pass, DeviceMatrix x, ArrayView<float> weight, ArrayView<float> weightGradient, bool add)
    {
        TrainingActivations memory = pass.Memory;
        RmsNormalizationBackward.Input(
            pass.Session, x, pass.Config.DModel, weight, pass.Config.NormEpsilon, memory.NormalGradient, memory.ResidualGradient, add, memory.Inverses);
        RowSums.AddTo(pass.Session, memory.NormalGradient, x, memory.Inverses, weightGradient);
    }

    private static void Block(PassContext pass, int layer)
    {
        (TrainingActivations memory, BlockViews block, BlockViews gradient) = (pass.Memory, pass.Weights.Blocks[layer], pass.Gradients!.Blocks[layer]);
        (int rank, ArrayView<float> none) = (pass.Shape.Rank, ArrayView<float>.Empty);

        DeviceMatrix mixed = MixedGradient(pass, layer);
        pass.InputGradient(block.OutWeight, mixed, memory.ChannelsGradient);
        pass.WeightGradient(mixed, memory.ScanOutputs[layer], gradient.OutWeight, gradient.OutBias);

        SelectiveScan.Backward(pass.Session, pass.Scan(layer), ScanGradients(pass, gradient, layer));

        DeviceMatrix dt = memory.DtBCGradient.Slice(0, rank);
        pass.InputGradient(block.DtWeight, memory.DeltaGradient, dt);
        pass.WeightGradient(memory.DeltaGradient, memory.DtBC[layer].Slice(0, rank), gradient.DtWeight, none);
        NormalizeDtBC(pass, layer);

        pass.InputGradient(block.XWeight, memory.DtBCGradient, memory.ChannelsGradient, accumulate: true);
        pass.WeightGradient(memory.DtBCGradient, memory.Channels[layer], gradient.XWeight, none);
        Convolution(pass, gradient, layer);

        pass.InputGradient(block.InWeight, memory.GatedGradient, memory.NormalGradient);
        pass.WeightGradient(memory.GatedGradient, memory.Normals[layer], gradient.InWeight, gradient.InBias);
        Norm(pass, memory.Residuals[layer], block.Norm, gradient.Norm, add: true);
    }

    // The gradient of the mixer's output: that of the residual, through the dropout mask.
    private static DeviceMatrix MixedGradient(PassContext pass, int layer)
    {
        TrainingActivations memory = pass.Memory;
        if (pass.Dropout.Rate == 0)
        {
            return memory.ResidualGradient;
        }

        ResidualDropout.Mask(pass.Session, memory.ResidualGradient, memory.Mixed, memory.Rows, pass.Dropout, layer);
        return memory.Mixed;
    }

    private static ScanGradients ScanGradients(PassContext pass, BlockViews gradient, int layer)
    {
        (TrainingActivations memory, int rank, int states) = (pass.Memory, pass.Shape.Rank, pass.Shape.States);
        return new()
        {
            Y = memory.ChannelsGradient,
            U = memory.ChannelsGradient,
            Delta = memory.DeltaGradient,
            Z = memory.GatedGradient.Slice(pass.Shape.Channels, pass.Shape.Channels),
            B = memory.DtBCGradient.Slice(rank, states),
            C = memory.DtBCGradient.Slice(rank + states, states),
            ALog = gradient.ALog,
            DeltaBias = gradient.DtBias,
            D = gradient.D,
            States = memory.StateGradients.Length == 0 ? StateSlots.None : new(memory.StateGradients, pass.Shape.StateLength, pass.Shape.ScanOffset(layer)),
            Workspace = memory.ScanWorkspace,
        };
    }

    private static void NormalizeDtBC(PassContext pass, int layer)
    {
        if (pass.Config.MixerNormEpsilon is not float epsilon)
        {
            return;
        }

        (TrainingActivations memory, int rank, int states) = (pass.Memory, pass.Shape.Rank, pass.Shape.States);
        Part(0, rank, pass.Config.DtRank);
        Part(rank, states, pass.Config.DState);
        Part(rank + states, states, pass.Config.DState);

        void Part(int start, int rows, int features)
        {
            DeviceMatrix gradient = memory.DtBCGradient.Slice(start, rows);
            RmsNormalizationBackward.Input(
                pass.Session, memory.XProjOutputs[layer].Slice(start, rows), features, ArrayView<float>.Empty, epsilon, gradient, gradient, add: false, memory.Inverses);
        }
    }

    private static void Convolution(PassContext pass, BlockViews gradient, int layer)
    {
        TrainingActivations memory = pass.Memory;
        ConvolutionArguments convolution = pass.Convolution(layer, memory.FirstStates);
        ConvolutionGradients gradients = new()
        {
            Y = memory.ChannelsGradient,
            X = memory.GatedGradient.Slice(0, pass.Shape.Channels),
            Weight = gradient.ConvWeight,
            Bias = gradient.ConvBias,
            Workspace = memory.ConvolutionWorkspace,
        };
        CausalConvolution.Backward(pass.Session, convolution, gradients);
        if (memory.StateGradients.Length > 0)
        {
            ConvolutionStateGradient.Run(pass.Session, convolution, gradients, pass.ConvolutionStates(layer, memory.StateGradients));
        }
    }
}
