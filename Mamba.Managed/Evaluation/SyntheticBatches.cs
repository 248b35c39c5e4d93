using System.Numerics;
using Mamba.Managed.Execution;
using Mamba.Managed.Training;

namespace Mamba.Managed.Evaluation;

/// <summary>Batches of freshly drawn sequences of a task: no sequence is seen twice.</summary>
internal sealed class SyntheticBatches : IBatchSource
{
    private readonly SyntheticTask task;
    private readonly BatchOptions options;
    private readonly LengthGrowth? growth;
    private readonly int doublings;

    /// <summary>Prepares to draw.</summary>
    /// <param name="task">The task.</param>
    /// <param name="options">The length, the seed, and the sequences of a batch; where lengths grow, half as many of twice the least length, at least one.</param>
    /// <param name="growth">How the length is reached; null for that length alone.</param>
    /// <exception cref="ArgumentException">An option is out of range, or a length too short for the task.</exception>
    public SyntheticBatches(SyntheticTask task, BatchOptions options, LengthGrowth? growth = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(options);
        int shortest = growth?.Shortest ?? options.Length;
        ArgumentOutOfRangeException.ThrowIfLessThan(shortest, task.MinLength, nameof(growth));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Length, shortest, nameof(options));
        (this.task, this.options, this.growth) = (task, options.Validate(), growth);
        doublings = BitOperations.Log2((uint)(options.Length / shortest));
    }

    /// <inheritdoc/>
    public string Description => Throw.Invariant($"{task.Name}, {growth?.ToString() ?? "one length"}");

    /// <inheritdoc/>
    public bool HasValidation => false;

    /// <inheritdoc/>
    public TrainingBatch Batch(long number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        int most = growth?.Doublings(number, doublings) ?? 0;
        int doubled = (int)new SeededRandom(SyntheticTask.SeedOf(~options.Seed, number)).Below(most + 1);
        return Draw(number * options.Windows, Math.Max(1, options.Windows >> doubled), options.Length >> (doublings - doubled));
    }

    /// <summary>None: as no sequence is seen twice, the loss of training is that of new sequences already.</summary>
    public IEnumerable<TrainingBatch> Validation() => [];

    private TrainingBatch Draw(long first, int count, int length)
    {
        int rows = task.TokenCount(length), row = 0;
        int[] tokens = new int[checked(count * rows)], targets = new int[count * rows], lengths = new int[count];
        for (int i = 0; i < count; i++)
        {
            lengths[i] = rows;
            foreach ((int token, int target) in task.Sequence(length, SyntheticTask.SeedOf(options.Seed, first + i)))
            {
                (tokens[row], targets[row++]) = (token, target);
            }
        }

        return new(tokens, targets, lengths);
    }
}
