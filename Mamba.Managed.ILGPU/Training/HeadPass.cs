using ILGPU;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>Output head and cross-entropy, forward and backward together in blocks of columns, so that only one block's logits are in memory.</summary>
internal static class HeadPass
{
    /// <summary>Leaves what the losses are made of and, in a pass with gradients, the gradient of the last residual.</summary>
    public static void Run(PassContext pass)
    {
        TrainingActivations memory = pass.Memory;
        for (int first = 0; first < pass.Pitch; first += memory.LogitColumns)
        {
            Block(pass, first, Math.Min(memory.LogitColumns, pass.Pitch - first));
        }

        if (pass.Gradients is { } gradients)
        {
            BackwardPass.Norm(pass, memory.Residuals[^1], pass.Weights.NormF, gradients.NormF, add: false);
        }
    }

    /// <summary>The losses' sum in nats, in the order of the batch's rows.</summary>
    /// <param name="pass">The pass.</param>
    /// <param name="statistics">Those of <see cref="TrainingActivations.Statistics"/>, in the host's memory.</param>
    public static double Loss(PassContext pass, ReadOnlySpan<float> statistics)
    {
        double loss = 0;
        for (int column = 0; column < pass.Pitch; column++)
        {
            if (pass.Columns.Targets[column] >= 0)
            {
                int first = column / pass.Memory.LogitColumns * pass.Memory.LogitColumns, columns = Math.Min(pass.Memory.LogitColumns, pass.Pitch - first);
                ReadOnlySpan<float> block = statistics.Slice(CrossEntropy.StatisticsRows * first, CrossEntropy.StatisticsRows * columns);
                int at = column - first;
                loss += Math.Log(block[columns + at]) + ((double)block[at] - block[(2 * columns) + at]);
            }
        }

        return loss;
    }

    private static void Block(PassContext pass, int first, int columns)
    {
        (TrainingActivations memory, int vocabulary) = (pass.Memory, pass.Config.VocabSize);
        DeviceMatrix x = From(memory.FinalNormal, first), logits = memory.Logits with { Pitch = columns };
        ArrayView<int> targets = memory.Targets.SubView(first, columns);
        ArrayView<float> statistics = memory.Statistics.SubView(CrossEntropy.StatisticsRows * first, CrossEntropy.StatisticsRows * columns);
        ProductOptions options = new() { Workspace = memory.ProductWorkspace };
        MatrixProduct.Multiply(pass.Session, new(pass.Weights.Head), new(x), logits, columns, options with { Depth = pass.Shape.Features });
        CrossEntropy.Statistics(pass.Session, logits, vocabulary, targets, statistics, memory.LossWorkspace);
        if (pass.Gradients is { } gradients)
        {
            CrossEntropy.Gradient(pass.Session, logits, vocabulary, targets, statistics, pass.Scale);
            MatrixProduct.Multiply(pass.Session, new(pass.Weights.Head, Transposed: true), new(logits), From(memory.NormalGradient, first), columns, options);
            MatrixProduct.Multiply(
                pass.Session, new(logits), new(x, Transposed: true), gradients.Head, pass.Shape.Features, options with { Accumulate = true, Depth = columns });
        }
    }

    // The columns of a matrix from some multiple of 128 on; the last row ends where the memory does.
    private static DeviceMatrix From(DeviceMatrix matrix, int first) => matrix with { Data = matrix.Data.SubView(first / 4, matrix.Data.Length - (first / 4)) };
}
