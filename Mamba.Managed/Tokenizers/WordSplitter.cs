using System.Globalization;
using System.Text;

namespace Mamba.Managed.Tokenizers;

/// <summary>Splits a text into the words within which byte-level BPE merges.</summary>
/// <remarks>
/// GPT-2's pattern, <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>, by hand: .NET's regular expressions match
/// UTF-16 code units and do not recognize letters beyond U+FFFF.
/// </remarks>
internal sealed class WordSplitter
{
    private enum Kind
    {
        Letter,
        Number,
        Space,
        Other,
    }

    /// <summary>The words of a text.</summary>
    public static IEnumerable<(int Offset, int Length)> PreTokenize(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int length = FirstWord(text.AsSpan(at));
            yield return (at, length);
            at += length;
        }
    }

    /// <summary>Length of the word at the beginning of a text that is not empty.</summary>
    internal static int FirstWord(ReadOnlySpan<char> text)
    {
        int suffix = Contraction(text);
        if (suffix > 0)
        {
            return suffix;
        }

        int start = text[0] == ' ' && text.Length > 1 ? 1 : 0;
        Kind kind = KindOf(text[start..], out _);
        if (kind != Kind.Space)
        {
            return start + Run(text[start..], kind);
        }

        // The last space of a run goes with the word that follows, unless it is the only one.
        int spaces = Run(text, Kind.Space);
        return spaces == text.Length || spaces == 1 ? spaces : spaces - 1;
    }

    private static int Contraction(ReadOnlySpan<char> text) =>
        text.Length < 2 || text[0] != '\'' ? 0
        : text[1] is 's' or 't' or 'm' or 'd' ? 2
        : text.Length > 2 && text[1..3] is "re" or "ve" or "ll" ? 3
        : 0;

    private static int Run(ReadOnlySpan<char> text, Kind kind)
    {
        int length = 0;
        while (length < text.Length && KindOf(text[length..], out int consumed) == kind)
        {
            length += consumed;
        }

        return length;
    }

    private static Kind KindOf(ReadOnlySpan<char> text, out int consumed)
    {
        Rune.DecodeFromUtf16(text, out Rune rune, out consumed);
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Rune.IsWhiteSpace(rune) ? Kind.Space : Kind.Other,
        };
    }
}
