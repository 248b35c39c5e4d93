namespace Mamba.Managed.Templates;

/// <summary>Texts as sequences of Unicode code points, as Python has them; here a pair of surrogates is one.</summary>
internal static class CodePoints
{
    /// <summary>How many there are.</summary>
    public static int Count(ReadOnlySpan<char> text)
    {
        int pairs = 0;
        for (int at = text.IndexOfAnyInRange('\uD800', '\uDBFF'); at >= 0 && at + 1 < text.Length; at++)
        {
            pairs += IsPair(text, at) ? 1 : 0;
        }

        return text.Length - pairs;
    }

    /// <summary>Each as a text of its own.</summary>
    public static IEnumerable<string> Of(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int length = IsPair(text, at) ? 2 : 1;
            yield return text.Substring(at, length);
            at += length;
        }
    }

    /// <summary>The offset in UTF-16 units of a code point.</summary>
    public static int Offset(string text, int index)
    {
        if (IsPlain(text))
        {
            return Math.Min(index, text.Length);
        }

        int at = 0;
        for (; index > 0 && at < text.Length; index--)
        {
            at += IsPair(text, at) ? 2 : 1;
        }

        return at;
    }

    /// <summary>Whether every code point is one UTF-16 unit.</summary>
    public static bool IsPlain(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0;

    /// <summary>Which of two texts comes first by code points.</summary>
    public static int Compare(string left, string right)
    {
        int same = left.AsSpan().CommonPrefixLength(right);
        if (same == left.Length || same == right.Length)
        {
            return left.Length.CompareTo(right.Length);
        }

        char a = left[same], b = right[same];

        // Code points beyond 16 bits come last, and their units lie below those of the last ones of 16 bits.
        return char.IsSurrogate(a) == char.IsSurrogate(b) ? a.CompareTo(b) : char.IsSurrogate(a) ? 1 : -1;
    }

    private static bool IsPair(ReadOnlySpan<char> text, int at) => char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]);
}
