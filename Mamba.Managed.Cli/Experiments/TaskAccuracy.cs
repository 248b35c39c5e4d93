using System.Numerics.Tensors;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli.Experiments;

/// <summary>How often a model gives the answers of a task at some length.</summary>
/// <param name="Length">Of the sequences.</param>
/// <param name="Sequences">How many there were.</param>
/// <param name="Right">Answers that were the likeliest token.</param>
/// <param name="Asked">Answers that were asked for.</param>
internal sealed record TaskAccuracy(int Length, int Sequences, long Right, long Asked)
{
    // Every run is measured on the same sequences, which are those of no run's training.
    private const ulong Seed = 0x6D616D6261;
    private const int ChunkLength = 4096;

    /// <summary>Right answers of those asked for.</summary>
    public double Share => (double)Right / Asked;

    /// <summary>Asks a model, feeding it each sequence in chunks: memory does not grow with the length.</summary>
    /// <param name="executor">The model.</param>
    /// <param name="task">What is asked.</param>
    /// <param name="length">Of each sequence.</param>
    /// <param name="sequences">How many.</param>
    /// <param name="cancel">Looked at between chunks.</param>
    /// <exception cref="OperationCanceledException">The measure was canceled.</exception>
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
