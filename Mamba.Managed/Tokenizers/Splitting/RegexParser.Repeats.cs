namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>How often a part of an expression is repeated.</summary>
internal sealed partial class RegexParser
{
    private const int MostRepeats = 100_000;

    private RegexNode ReadRepeats(RegexNode node)
    {
        for (; ;)
        {
            bool isInterval = reader.Peek() == '{';
            (int Least, int Most)? times = reader.Take("*") ? (0, RegexNode.NoLimit) : reader.Take("+") ? (1, RegexNode.NoLimit) : reader.Take("?") ? (0, 1) : Interval();
            if (times is not (int least, int most))
            {
                return node;
            }

            CheckRepeat(node, least, most);

            // An exact number of times is not lazy with a question mark but optional; a plus after braces repeats once more.
            bool isLazy = reader.Take("?");
            if (isLazy && isInterval && least == most)
            {
                node = new RegexNode.Repeat(new RegexNode.Repeat(node, least, most, false), 0, 1, false);
                continue;
            }

            node = new RegexNode.Repeat(node, least, most, isLazy);
            node = !isLazy && !isInterval && reader.Take("+") ? new RegexNode.Atomic(node) : node;
        }
    }

    // Oniguruma refuses to repeat conditions, and leaves a counted loop early where its body was empty.
    private void CheckRepeat(RegexNode node, int least, int most)
    {
        if (IsCondition(node))
        {
            throw reader.Unsupported("expected characters to repeat, found a condition on a position; this is not supported");
        }

        bool isCounted = least > 1 || most is > 1 and < RegexNode.NoLimit;
        if (isCounted && RegexFollow.End.After(node).MayBeEmpty)
        {
            throw reader.Unsupported("expected braces after what is never empty; others are not supported");
        }
    }

    private static bool IsCondition(RegexNode node) => node switch
    {
        RegexNode.At or RegexNode.Look => true,
        RegexNode.Sequence sequence => sequence.Parts.Count > 0 && sequence.Parts.All(IsCondition),
        RegexNode.Alternatives alternatives => alternatives.Choices.Any(IsCondition),
        _ => false,
    };

    // Numbers in braces; null, and nothing is read, where there are none.
    private (int Least, int Most)? Interval()
    {
        int start = reader.At;
        if (!reader.Take("{"))
        {
            return null;
        }

        int least = reader.Decimal();
        bool isRange = reader.Take(",");
        int most = isRange ? reader.Decimal() : least;
        if (!reader.Take("}") || (least < 0 && most < 0))
        {
            reader.At = start;
            return null;
        }

        if (least > MostRepeats || most > MostRepeats || (most >= 0 && most < least))
        {
            throw reader.Unsupported($"expected numbers of times in ascending order and up to {MostRepeats}");
        }

        return (Math.Max(least, 0), most < 0 ? RegexNode.NoLimit : most);
    }
}
