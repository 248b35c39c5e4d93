using Mamba.Managed.Execution;
using Mamba.Managed.Training;

namespace Mamba.Managed.Evaluation;

/// <summary>A task whose sequences are drawn at random, as many and as long as are asked for.</summary>
internal abstract class SyntheticTask
{
    /// <summary>Tokens that a sequence is made of, the special ones included; as in the paper, and what models of the tasks are made for.</summary>
    public const int VocabSize = 16;

    private protected SyntheticTask()
    {
    }

    /// <summary>As the <c>mamba</c> command calls it.</summary>
    public abstract string Name { get; }

    /// <summary>The shortest length of a sequence.</summary>
    public abstract int MinLength { get; }

    /// <summary>The seed of one of many sequences.</summary>
    /// <param name="seed">Of all sequences.</param>
    /// <param name="number">Which of them.</param>
    public static ulong SeedOf(ulong seed, long number) => new SeededRandom(seed ^ ((ulong)number * 0xD1342543DE82EF95)).Next();

    /// <summary>Tokens of a sequence, those that ask for the answer included.</summary>
    /// <param name="length">The length that the task is asked for at.</param>
    public virtual int TokenCount(int length) => length;

    /// <summary>Draws a sequence, token by token, in constant memory.</summary>
    /// <param name="length">At least <see cref="MinLength"/>.</param>
    /// <param name="seed">The same seed gives the same sequence.</param>
    /// <returns>Each token, and what a model should say after it: <see cref="TrainingBatch.NoTarget"/> where nothing is asked.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A shorter length.</exception>
    public IEnumerable<(int Token, int Target)> Sequence(int length, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, MinLength);
        return Draw(length, new SeededRandom(seed));
    }

    private protected abstract IEnumerable<(int Token, int Target)> Draw(int length, SeededRandom random);
}
