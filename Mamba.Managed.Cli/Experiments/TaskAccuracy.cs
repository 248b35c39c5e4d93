using System.Numerics.Tensors;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli.Experiments;

/// <summary>The accuracy of a model on a task at one length.</summary>
/// <param name="Length">The length of the sequences.</param>
/// <param name="Sequences">The number of sequences.</param>
/// <param name="Right">Targets that were the most likely token.</param>
/// <param name="Asked">All targets.</param>
internal sealed record TaskAccuracy(int Length, int Sequences, long Right, long Asked)
{
    // All runs are measured on the same sequences, which are not used in training.
    private const ulong Seed = 0x6D616D6261;
    private const int ChunkLength = 4096;

    /// <summary>The accuracy, 0 to 1.</summary>
    public double Share => (double)Right / Asked;

    /// <summary>Measures a model. Each sequence is fed in chunks, so that memory does not grow with the length.</summary>
    /// <param name="executor">The model.</param>
    /// <param name="task">The task.</param>
    /// <param name="length">The length of each sequence.</param>
    /// <param name="sequences">The number of sequences.</param>
    /// <param name="cancel">Checked between chunks.</param>
    /// <exception cref="OperationCanceledException">The measurement was canceled.</exception>
    public static TaskAccuracy Measure(IMambaExecutor executor, SyntheticTask task, int length, int sequences, CancellationToken cancel)
    {
        using SequenceState state = executor.CreateState();
        float[] logits = new float[ChunkLength * SyntheticTask.VocabSize];
        (long right, long asked) = (0, 0);
        for (int i = 0; i < sequences; i++)
        {
            state.Clear();
            foreach ((int Token, int Target)[] chunk in task.Sequence(length, SyntheticTask.SeedOf(Seed + (ulong)length, i)).Chunk(ChunkLength))
            {
                int first = Array.FindIndex(chunk, asking => asking.Target != TrainingBatch.NoTarget);
                Feed(chunk[..(first < 0 ? chunk.Length : first)], logits.AsSpan(0, SyntheticTask.VocabSize));
                if (first >= 0)
                {
                    Ask(chunk[first..]);
                }
            }
        }

        return new(length, sequences, right, asked);

        void Feed((int Token, int Target)[] part, Span<float> output)
        {
            if (part.Length > 0)
            {
                executor.Prefill(Array.ConvertAll(part, asking => asking.Token), state, output, cancel);
            }
        }

        void Ask((int Token, int Target)[] part)
        {
            Span<float> rows = logits.AsSpan(0, part.Length * SyntheticTask.VocabSize);
            Feed(part, rows);
            foreach ((_, int target) in part)
            {
                if (target != TrainingBatch.NoTarget)
                {
                    asked++;
                    right += TensorPrimitives.IndexOfMax(rows[..SyntheticTask.VocabSize]) == target ? 1 : 0;
                }

                rows = rows[SyntheticTask.VocabSize..];
            }
        }
    }
}
