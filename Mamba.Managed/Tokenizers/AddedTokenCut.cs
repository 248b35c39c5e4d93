using System.Globalization;
using System.Text;

namespace Mamba.Managed.Tokenizers;

/// <summary>A part of a text: an added token, or the text between two.</summary>
/// <param name="Start">Where it begins.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Token">The added token; null for text.</param>
internal readonly record struct TextPart(int Start, int End, AddedToken? Token);

/// <summary>Cuts a text at its added tokens, as Hugging Face's <c>tokenizers</c> does.</summary>
internal static class AddedTokenCut
{
    /// <summary>The parts of a text, in order; text parts are not empty.</summary>
    public static List<TextPart> Cut(ReadOnlySpan<char> text, AddedTokenFinder finder)
    {
        long steps = 0;
        return Cut(text, finder.IsEmpty ? [] : finder.Find(text, ref steps));
    }

    /// <summary>The parts of a text whose control tokens count, but for those that touch given parts of it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="finder">Finds added tokens that are not control tokens.</param>
    /// <param name="control">Finds control tokens.</param>
    /// <param name="literal">Parts in which there are none; ascending.</param>
    public static List<TextPart> Cut(ReadOnlySpan<char> text, AddedTokenFinder finder, AddedTokenFinder control, IReadOnlyList<(int Start, int End)> literal)
    {
        long steps = 0;
        List<(int Start, AddedToken Token)> found = finder.FindAll(text, ref steps);
        int start = 0;
        foreach ((int from, int to) in literal.Append((text.Length, text.Length)))
        {
            foreach ((int at, AddedToken token) in control.FindAll(text[start..from], ref steps))
            {
                found.Add((start + at, token));
            }

            start = to;
        }

        // Of two that begin at one place the longer counts, as everywhere.
        found.Sort((a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : b.Token.Content.Length.CompareTo(a.Token.Content.Length));
        return Cut(text, AddedTokenFinder.WithoutOverlaps(found));
    }

    private static List<TextPart> Cut(ReadOnlySpan<char> text, List<(int Start, AddedToken Token)> tokens)
    {
        List<TextPart> parts = [];
        int done = 0;
        foreach ((int found, AddedToken token) in tokens)
        {
            (int start, int end) = (found, found + token.Content.Length);
            if (token.IsSingleWord && (EndsWithWord(text[..start]) || StartsWithWord(text[end..])))
            {
                continue;
            }

            // White space that the token before took already is not taken twice.
            start = token.StripsLeft ? Math.Max(text[..start].TrimEnd().Length, done) : start;
            end = token.StripsRight ? text.Length - text[end..].TrimStart().Length : end;
            if (done < start)
            {
                parts.Add(new(done, start, null));
            }

            // A token of white space whose characters the token before has taken is gone.
            if (start < end)
            {
                parts.Add(new(start, end, token));
            }

            done = end;
        }

        if (done < text.Length)
        {
            parts.Add(new(done, text.Length, null));
        }

        return parts;
    }

    private static bool EndsWithWord(ReadOnlySpan<char> text) => Rune.DecodeLastFromUtf16(text, out Rune last, out _) == System.Buffers.OperationStatus.Done && IsWord(last);

    private static bool StartsWithWord(ReadOnlySpan<char> text) => Rune.DecodeFromUtf16(text, out Rune first, out _) == System.Buffers.OperationStatus.Done && IsWord(first);

    // Unicode Technical Standard 18, \w: letters, marks, digits, connectors, joiners, and the circled and squared letters that are alphabetic.
    private static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter
            or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation
            or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => true,
        _ => rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
    };
}
