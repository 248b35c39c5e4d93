using System.Numerics.Tensors;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>The backward half of a pass: from the gradient of the last residual to that of every parameter.</summary>
/// <remarks>
/// Each entry of a gradient is one chain in a fixed order, over rows or, in convolution and scan, over sequences: the same bits with any
/// number of threads.
/// </remarks>
internal static unsafe class BackwardHalf
{
    /// <summary>Runs on every worker, after the head.</summary>
    public static void Run(Worker worker, TrainingStep step)
    {
        ParameterPointers gradients = step.Gradients!;
        for (int layer = step.Weights.Blocks.Length - 1; layer >= 0; layer--)
        {
            Block(worker, step, step.Weights.Blocks[layer], gradients.Blocks[layer], layer);
        }

        worker.Barrier();
        (int start, int end) = step.FeaturesOf(worker);
        for (int row = 0; row < step.Rows; row++)
        {
            Span<float> sum = step.Row(gradients.Embedding, step.Tokens[row])[start..end];
            TensorPrimitives.Add(sum, step.Row(step.Workspace.ResidualGradient, row)[start..end], sum);
        }
    }

    private static void Block(Worker worker, TrainingStep step, BlockPointers block, BlockPointers gradient, int layer)
    {
        TrainingWorkspace memory = step.Workspace;
        (int rows, int width, int inner, int projected, int rank) = (step.Rows, step.Width, step.Inner, step.Projected, step.Config.DtRank);
        float* residual = memory.Residual(layer);
        (int start, int end) = worker.Range(rows);

        // What the forward half did not keep.
        step.Normalize(worker, residual, block.Norm);
        float* mixed = MixedGradient(step, layer, start, end);
        step.Arrange(worker, block);
        step.Convolve(worker, block, layer, keep: false);
        float* selection = step.Select(worker, layer);
        worker.Barrier();
        step.Step(worker, block, selection);
        Inputs(mixed, width, block.OutWeight, memory.OutputGradient, inner);
        worker.Barrier();

        MixerBackward.Scan(worker, step, block, gradient, selection, layer);
        worker.Barrier();

        Parameters(mixed, width, memory.Outputs, inner, inner, gradient.OutWeight, gradient.OutBias);
        MixerBackward.SumSelection(step, start, end);
        Parameters(memory.Steps, inner, selection, rank, projected, gradient.DtWeight, null);
        GeneralGemm.Run(
            worker, memory.Product, new(memory.Steps, rows, inner), new(block.DtWeight, inner, rank), new(memory.BCGradient, rows, rank, projected));
        worker.Barrier();
        if (step.Config.MixerNormEpsilon is float epsilon)
        {
            MixerBackward.NormalizeSelection(step, layer, epsilon, start, end);
            worker.Barrier();
        }

        Parameters(memory.BCGradient, projected, memory.Channels, inner, inner, gradient.XWeight, null);
        Inputs(memory.BCGradient, projected, block.XWeight, memory.OutputGradient, inner, accumulate: true);
        worker.Barrier();

        MixerBackward.Convolve(worker, step, block, gradient, layer);
        worker.Barrier();
        Parameters(memory.GatedGradient, 2 * inner, memory.Normal, width, width, gradient.InWeight, gradient.InBias);
        Inputs(memory.GatedGradient, 2 * inner, block.InWeight, memory.NormalGradient, width);
        worker.Barrier();

        for (int row = start; row < end; row++)
        {
            long at = (long)row * width;
            memory.Inverses[row] = RmsNormalizationBackward.Input(
                residual + at, block.Norm, step.Config.NormEpsilon, memory.NormalGradient + at, memory.ResidualGradient + at, width, add: true);
        }

        worker.Barrier();
        (int first, int last) = step.FeaturesOf(worker);
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
    private static float* MixedGradient(TrainingStep step, int layer, int start, int end)
    {
        TrainingWorkspace memory = step.Workspace;
        if (step.Dropout.Rate == 0)
        {
            return memory.ResidualGradient;
        }

        for (int row = start; row < end; row++)
        {
            step.Row(memory.ResidualGradient, row).CopyTo(step.Row(memory.Mixed, row));
            step.Dropout.Apply(step.Row(memory.Mixed, row), layer, row);
        }

        return memory.Mixed;
    }
}
