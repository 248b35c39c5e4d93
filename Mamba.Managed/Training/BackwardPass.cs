using System.Numerics.Tensors;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>The backward pass of a pass: from the gradient of the last residual to that of every parameter.</summary>
/// <remarks>
/// Each entry of a gradient is one chain in a fixed order, over rows or, in convolution and scan, over sequences: the same bits with any
/// number of threads.
/// </remarks>
internal static unsafe class BackwardPass
{
    /// <summary>Runs on every worker, after the head.</summary>
    public static void Run(Worker worker, PassContext pass)
    {
        ParameterPointers gradients = pass.Gradients!;
        for (int layer = pass.Weights.Blocks.Length - 1; layer >= 0; layer--)
        {
            Block(worker, pass, pass.Weights.Blocks[layer], gradients.Blocks[layer], layer);
        }

        worker.Barrier();
        (int start, int end) = pass.FeaturesOf(worker);
        for (int row = 0; row < pass.Rows; row++)
        {
            Span<float> sum = pass.Row(gradients.Embedding, pass.Tokens[row])[start..end];
            TensorPrimitives.Add(sum, pass.Row(pass.Workspace.ResidualGradient, row)[start..end], sum);
        }
    }

    private static void Block(Worker worker, PassContext pass, BlockPointers block, BlockPointers gradient, int layer)
    {
        TrainingWorkspace memory = pass.Workspace;
        (int rows, int width, int inner, int projected, int rank) = (pass.Rows, pass.Width, pass.Inner, pass.Projected, pass.Config.DtRank);
        float* residual = memory.Residual(layer);
        (int start, int end) = worker.Range(rows);

        // What the forward pass did not keep.
        pass.Normalize(worker, residual, block.Norm);
        float* mixed = MixedGradient(pass, layer, start, end);
        pass.Arrange(worker, block);
        pass.Convolve(worker, block, layer, keep: false);
        float* selection = pass.Select(worker, layer);
        worker.Barrier();
        pass.ProjectDt(worker, block, selection);
        Inputs(mixed, width, block.OutWeight, memory.ScanOutputGradient, inner);
        worker.Barrier();

        MixerBackward.Scan(worker, pass, block, gradient, selection, layer);
        worker.Barrier();

        Parameters(mixed, width, memory.ScanOutput, inner, inner, gradient.OutWeight, gradient.OutBias);
        MixerBackward.SumSelection(pass, start, end);
        Parameters(memory.DtGradient, inner, selection, rank, projected, gradient.DtWeight, null);
        GeneralGemm.Run(
            worker, memory.Product, new(memory.DtGradient, rows, inner), new(block.DtWeight, inner, rank), new(memory.SelectionGradient, rows, rank, projected));
        worker.Barrier();
        if (pass.Config.MixerNormEpsilon is float epsilon)
        {
            MixerBackward.NormalizeSelection(pass, layer, epsilon, start, end);
            worker.Barrier();
        }

        Parameters(memory.SelectionGradient, projected, memory.Channels, inner, inner, gradient.XWeight, null);
        Inputs(memory.SelectionGradient, projected, block.XWeight, memory.ChannelsGradient, inner, accumulate: true);
        worker.Barrier();

        MixerBackward.Convolve(worker, pass, block, gradient, layer);
        worker.Barrier();
        Parameters(memory.GatedGradient, 2 * inner, memory.Normal, width, width, gradient.InWeight, gradient.InBias);
        Inputs(memory.GatedGradient, 2 * inner, block.InWeight, memory.NormalGradient, width);
        worker.Barrier();

        for (int row = start; row < end; row++)
        {
            long at = (long)row * width;
            memory.Inverses[row] = RmsNormalizationBackward.Input(
                residual + at, block.Norm, pass.Config.NormEpsilon, memory.NormalGradient + at, memory.ResidualGradient + at, width, add: true);
        }

        worker.Barrier();
        (int first, int last) = pass.FeaturesOf(worker);
        RmsNormalizationBackward.Weight(residual, memory.Inverses, memory.NormalGradient, gradient.Norm, rows, width, first, last);

        void Inputs(float* dy, int outputs, float* weight, float* dx, int inputs, bool accumulate = false) => GeneralGemm.Run(
            worker, memory.Product, new(dy, rows, outputs), new(weight, outputs, inputs), new(dx, rows, inputs), accumulate);

        void Parameters(float* dy, int outputs, float* x, int inputs, int pitch, float* dw, float* db)
        {
            GeneralGemm.Run(
                worker,
                memory.Product,
                new MatrixView(dy, rows, outputs).Transposed,
                new MatrixView(x, rows, inputs, pitch),
                new MatrixView(dw, outputs, inputs),
                accumulate: true);
            (int first, int last) = worker.Range(outputs);
            for (int row = 0; db is not null && row < rows; row++)
            {
                Span<float> sum = new(db + first, last - first);
                TensorPrimitives.Add(sum, new ReadOnlySpan<float>(dy + ((long)row * outputs) + first, sum.Length), sum);
            }
        }
    }

    // The gradient of the mixer's output: that of the residual, through the mask.
    private static float* MixedGradient(PassContext pass, int layer, int start, int end)
    {
        TrainingWorkspace memory = pass.Workspace;
        if (pass.Dropout.Rate == 0)
        {
            return memory.ResidualGradient;
        }

        for (int row = start; row < end; row++)
        {
            pass.Row(memory.ResidualGradient, row).CopyTo(pass.Row(memory.Mixed, row));
            pass.Dropout.Apply(pass.Row(memory.Mixed, row), layer, row);
        }

        return memory.Mixed;
    }
}
