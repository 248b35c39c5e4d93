using Mamba.Managed.Kernels;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>Final norm, output head and cross-entropy, forward and backward at once in blocks of rows: all logits never exist together.</summary>
internal static unsafe class HeadPass
{
    /// <summary>Runs on every worker; ends with a barrier, the losses written and, where gradients are asked for, that of the last residual.</summary>
    public static void Run(Worker worker, PassContext pass)
    {
        TrainingWorkspace memory = pass.Workspace;
        float* residual = memory.Residual(pass.Config.NLayer);
        pass.Normalize(worker, residual, pass.Weights.FinalNorm);
        worker.Barrier();
        for (int first = 0; first < pass.Rows; first += memory.LogitRows)
        {
            Block(worker, pass, first, Math.Min(memory.LogitRows, pass.Rows - first));
        }

        if (pass.Gradients is null)
        {
            return;
        }

        (int start, int end) = worker.Range(pass.Rows);
        for (int row = start; row < end; row++)
        {
            long at = (long)row * pass.Width;
            memory.Inverses[row] = RmsNormalizationBackward.Input(
                residual + at, pass.Weights.FinalNorm, pass.Config.NormEpsilon, memory.NormalGradient + at, memory.ResidualGradient + at, pass.Width, add: false);
        }

        worker.Barrier();
        (start, end) = pass.FeaturesOf(worker);
        RmsNormalizationBackward.Weight(
            residual, memory.Inverses, memory.NormalGradient, pass.Gradients.FinalNorm, pass.Rows, pass.Width, start, end);
    }

    private static void Block(Worker worker, PassContext pass, int first, int rows)
    {
        TrainingWorkspace memory = pass.Workspace;
        int vocabulary = pass.Config.VocabSize;
        MatrixView x = new(memory.Normal + ((long)first * pass.Width), rows, pass.Width);
        MatrixView head = new(pass.Weights.Head, vocabulary, pass.Width);
        MatrixView logits = new(memory.Logits, rows, vocabulary);
        GeneralGemm.Run(worker, memory.Product, x, head.Transposed, logits);
        worker.Barrier();
        (int start, int end) = worker.Range(rows);
        for (int row = start; row < end; row++)
        {
            memory.Losses[first + row] = CrossEntropy.Backward(logits.At(row, 0), vocabulary, pass.Targets[first + row], pass.Scale);
        }

        worker.Barrier();
        if (pass.Gradients is not null)
        {
            GeneralGemm.Run(worker, memory.Product, logits, head, new(memory.NormalGradient + ((long)first * pass.Width), rows, pass.Width));
            GeneralGemm.Run(worker, memory.Product, logits.Transposed, x, new(pass.Gradients.Head, vocabulary, pass.Width), accumulate: true);
            worker.Barrier();
        }
    }
}
