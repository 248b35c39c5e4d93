using Mamba.Managed.Training;

namespace Mamba.Managed.Evaluation;

/// <summary>Recall what followed a special token: random tokens, a special one among them, and at the end the special one again.</summary>
/// <remarks>
/// Gu and Dao 2023, section 4.1.2 and appendix E.1, after Olsson et al. 2022. The special token <c>*</c> is anywhere but in the last two places:
/// <code>
/// tokens:  3 9 0 * 7 1 1 12 ... 4 *
/// target:                         7
/// </code>
/// </remarks>
internal sealed class InductionHeads : SyntheticTask
{
    /// <summary>The token whose follower is asked for.</summary>
    public const int Special = VocabSize - 1;

    /// <inheritdoc/>
    public override string Name => "induction-heads";

    /// <inheritdoc/>
    public override int MinLength => 3;

    private protected override IEnumerable<(int Token, int Target)> Draw(int length, SeededRandom random)
    {
        long place = random.Below(length - 2);
        int answer = TrainingBatch.NoTarget;
        for (int i = 0; i < length - 1; i++)
        {
            int token = i == place ? Special : (int)random.Below(Special);
            answer = i == place + 1 ? token : answer;
            yield return (token, TrainingBatch.NoTarget);
        }

        yield return (Special, answer);
    }
}
