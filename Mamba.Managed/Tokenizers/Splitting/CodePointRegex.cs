namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>A regular expression over code points, in the syntax and with the meaning of Oniguruma, in time linear in the text.</summary>
/// <remarks>
/// .NET's expressions match UTF-16 units: <c>\p{L}</c> does not recognize letters beyond U+FFFF, and their time may be exponential in the text.
/// Thread-safe.
/// </remarks>
internal sealed class CodePointRegex
{
    private readonly RegexProgram fast, thorough;
    private RegexMatcher? spare;

    private CodePointRegex(RegexNode node) => (fast, thorough) = (RegexCompiler.Compile(node, isFast: true), RegexCompiler.Compile(node, isFast: false));

    /// <summary>An expression.</summary>
    /// <exception cref="InvalidDataException">It is not an expression, or one of its features is not supported; the message names it.</exception>
    public static CodePointRegex Parse(string pattern) => new(RegexParser.Parse(pattern));

    /// <summary>An expression by its parts.</summary>
    public static CodePointRegex Of(RegexNode node) => new(node);

    /// <summary>An expression that matches one character of a set.</summary>
    public static CodePointRegex OneOf(CharacterSet set) => new(new RegexNode.One(set));

    /// <summary>An expression that matches a text itself.</summary>
    public static CodePointRegex Literal(string text) =>
        new(RegexNode.Concatenate([.. text.EnumerateRunes().Select(rune => new RegexNode.One(CharacterSet.Of(rune.Value)))]));

    /// <summary>All matches from left to right; an empty one only where none ends.</summary>
    /// <param name="text">The text.</param>
    /// <param name="matches">Gets the places of the matches.</param>
    /// <returns>The number of steps taken.</returns>
    public long FindAll(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        // Many pieces of a text have no match, and it shows at a glance.
        if (fast.First is CharacterSet first && !AnyOf(first, text))
        {
            return text.Length;
        }

        RegexMatcher matcher = Interlocked.Exchange(ref spare, null) ?? new(fast, thorough);
        matcher.Begin();
        int last = -1;
        for (int start = 0, end; (end = matcher.Next(text, ref start)) >= 0;)
        {
            if (start == end && end == last)
            {
                start += start + 1 < text.Length && char.IsSurrogatePair(text[start], text[start + 1]) ? 2 : 1;
                continue;
            }

            matches.Add((start, end));
            (start, last) = (end, end);
        }

        long steps = matcher.Steps;
        matcher.Begin();
        spare = matcher.IsSmall ? matcher : null;
        return steps;
    }

    private static bool AnyOf(CharacterSet set, ReadOnlySpan<char> text)
    {
        for (int at = 0; at < text.Length; at++)
        {
            if (set.Match(text, at) > 0)
            {
                return true;
            }
        }

        return false;
    }
}
