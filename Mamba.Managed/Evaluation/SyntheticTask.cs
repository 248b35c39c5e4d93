using Mamba.Managed.Execution;
using Mamba.Managed.Training;

namespace Mamba.Managed.Evaluation;

/// <summary>A task whose sequences are drawn at random, any number of them and of any length.</summary>
internal abstract class SyntheticTask
{
    /// <summary>The vocabulary of the tasks, special tokens included: that of the paper, and the vocab_size of models for them.</summary>
    public const int VocabSize = 16;

    private protected SyntheticTask()
    {
    }

    /// <summary>The name in the <c>mamba</c> command.</summary>
    public abstract string Name { get; }

    /// <summary>The shortest length of a sequence.</summary>
    public abstract int MinLength { get; }

    /// <summary>The seed of one of many sequences.</summary>
    /// <param name="seed">The seed of all sequences.</param>
    /// <param name="number">The sequence.</param>
    public static ulong SeedOf(ulong seed, long number) => SeededRandom.Of(seed, number).Next();

    /// <summary>The number of tokens of a sequence, including those whose target is the answer.</summary>
    /// <param name="length">The length of the task.</param>
    public virtual int TokenCount(int length) => length;

    /// <summary>Draws a sequence, token by token, in constant memory.</summary>
    /// <param name="length">At least <see cref="MinLength"/>.</param>
    /// <param name="seed">The same seed gives the same sequence.</param>
    /// <returns>Each token, and the token that a model should predict after it: <see cref="TrainingBatch.NoTarget"/> for none.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A shorter length.</exception>
    public IEnumerable<(int Token, int Target)> Sequence(int length, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, MinLength);
        return Draw(length, new SeededRandom(seed));
    }

    private protected abstract IEnumerable<(int Token, int Target)> Draw(int length, SeededRandom random);
}
