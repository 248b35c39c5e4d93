using Mamba.Managed.Kernels;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>Final norm, output head and cross-entropy, forward and backward at once in blocks of rows: all logits never exist together.</summary>
internal static unsafe class HeadHalf
{
    /// <summary>Runs on every worker; ends with a barrier, the losses written and, where gradients are asked for, that of the last residual.</summary>
    public static void Run(Worker worker, TrainingStep step)
    {
        TrainingWorkspace memory = step.Workspace;
        float* residual = memory.Residual(step.Config.NLayer);
        step.Normalize(worker, residual, step.Weights.FinalNorm);
        worker.Barrier();
        for (int first = 0; first < step.Rows; first += memory.LogitRows)
        {
            Block(worker, step, first, Math.Min(memory.LogitRows, step.Rows - first));
        }

        if (step.Gradients is null)
        {
            return;
        }

        (int start, int end) = worker.Range(step.Rows);
        for (int row = start; row < end; row++)
        {
            long at = (long)row * step.Width;
            memory.Inverses[row] = RmsNormalizationBackward.Input(
                residual + at, step.Weights.FinalNorm, step.Config.NormEpsilon, memory.NormalGradient + at, memory.ResidualGradient + at, step.Width, add: false);
        }

        worker.Barrier();
        (start, end) = step.FeaturesOf(worker);
        RmsNormalizationBackward.Weight(
            residual, memory.Inverses, memory.NormalGradient, step.Gradients.FinalNorm, step.Rows, step.Width, start, end);
    }

    private static void Block(Worker worker, TrainingStep step, int first, int rows)
    {
        TrainingWorkspace memory = step.Workspace;
        int vocabulary = step.Config.VocabSize;
        MatrixView x = new(memory.Normal + ((long)first * step.Width), rows, step.Width);
        MatrixView head = new(step.Weights.Head, vocabulary, step.Width);
        MatrixView logits = new(memory.Logits, rows, vocabulary);
        GeneralGemm.Run(worker, memory.Product, x, head.Transposed, logits);
        worker.Barrier();
        (int start, int end) = worker.Range(rows);
        for (int row = start; row < end; row++)
        {
            memory.Losses[first + row] = CrossEntropy.Backward(logits.At(row, 0), vocabulary, step.Targets[first + row], step.Scale);
        }

        worker.Barrier();
        if (step.Gradients is not null)
        {
            GeneralGemm.Run(worker, memory.Product, logits, head, new(memory.NormalGradient + ((long)first * step.Width), rows, step.Width));
            GeneralGemm.Run(worker, memory.Product, logits.Transposed, x, new(step.Gradients.Head, vocabulary, step.Width), accumulate: true);
            worker.Barrier();
        }
    }
}
