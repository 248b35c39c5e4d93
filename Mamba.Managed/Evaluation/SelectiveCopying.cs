using Mamba.Managed.Training;

namespace Mamba.Managed.Evaluation;

/// <summary>Repeat the data tokens that lie scattered among noise, in their order.</summary>
/// <remarks>
/// Gu and Dao 2023, section 4.1.1 and appendix E.1: 16 data tokens at random places among noise <c>.</c>, then as many markers <c>?</c>, each of
/// which asks for the next of them:
/// <code>
/// tokens:  . 5 . . 11 . 2 . . . ? ? ?
/// target:                       5 11 2
/// </code>
/// </remarks>
internal sealed class SelectiveCopying : SyntheticTask
{
    /// <summary>Data tokens of a sequence.</summary>
    public const int DataTokens = 16;

    /// <summary>The token of noise.</summary>
    public const int Noise = 0;

    /// <summary>The token that asks for the next data token.</summary>
    public const int Marker = VocabSize - 1;

    /// <inheritdoc/>
    public override string Name => "selective-copying";

    /// <inheritdoc/>
    public override int MinLength => DataTokens;

    /// <summary>The length, in which the data tokens are scattered, and the markers after it.</summary>
    /// <param name="length">Where the data tokens are scattered.</param>
    public override int TokenCount(int length) => checked(length + DataTokens);

    private protected override IEnumerable<(int Token, int Target)> Draw(int length, SeededRandom random)
    {
        int[] data = new int[DataTokens];
        int found = 0;
        for (int i = 0; i < length; i++)
        {
            // Every set of places is as likely: Knuth, The Art of Computer Programming, volume 2, algorithm S.
            bool isData = random.Below(length - i) < DataTokens - found;
            int token = isData ? data[found++] = 1 + (int)random.Below(Marker - 1) : Noise;
            yield return (token, TrainingBatch.NoTarget);
        }

        foreach (int token in data)
        {
            yield return (Marker, token);
        }
    }
}
