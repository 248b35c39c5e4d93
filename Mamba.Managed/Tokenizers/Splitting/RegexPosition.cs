using System.Text;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Conditions on a position in a text.</summary>
internal static class RegexPosition
{
    private static readonly Lazy<CharacterSet> Word = new(() => CharacterProperties.WordAlone);

    /// <summary>Whether a condition holds; only a line feed ends a line.</summary>
    public static bool Holds(RegexAnchor anchor, ReadOnlySpan<char> text, int at) => anchor switch
    {
        RegexAnchor.LineStart => at == 0 || (at < text.Length && text[at - 1] == '\n'),
        RegexAnchor.LineEnd => at == text.Length || text[at] == '\n',
        RegexAnchor.TextStart => at == 0,
        RegexAnchor.TextEnd => at == text.Length,
        RegexAnchor.TextEndOrLastLine => at == text.Length || (at == text.Length - 1 && text[at] == '\n'),
        RegexAnchor.WordBoundary => IsWordBefore(text, at) != IsWordAfter(text, at),
        _ => IsWordBefore(text, at) == IsWordAfter(text, at),
    };

    /// <summary>The position some characters before; -1 where there are not so many.</summary>
    public static int Back(ReadOnlySpan<char> text, int position, int characters)
    {
        for (; characters > 0 && position > 0; characters--)
        {
            position -= position > 1 && char.IsSurrogatePair(text[position - 2], text[position - 1]) ? 2 : 1;
        }

        return characters > 0 ? -1 : position;
    }

    private static bool IsWordAfter(ReadOnlySpan<char> text, int at) => Word.Value.Match(text, at) > 0;

    private static bool IsWordBefore(ReadOnlySpan<char> text, int at)
    {
        Rune.DecodeLastFromUtf16(text[..at], out Rune rune, out int length);
        return length > 0 && Word.Value.Contains(rune.Value);
    }
}
