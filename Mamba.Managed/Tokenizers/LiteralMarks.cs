using System.Text;

namespace Mamba.Managed.Tokenizers;

/// <summary>Marks the parts of a text in which control tokens would be found, so that they stay text when a template puts it among control tokens of its own.</summary>
/// <remarks>
/// Marks are three noncharacters of Unicode, which no exchanged text has: one before a part, one after it, and one before what was a mark in the text
/// itself. They stand only where a control token is written, or may come about with what the template puts beside the text, so that templates which
/// trim, search or cut a text see it as it is, as a rule.
/// </remarks>
internal static class LiteralMarks
{
    private const char Begin = '\uFDD0';
    private const char End = '\uFDD1';
    private const char Escape = '\uFDD2';
    private const char FirstEscaped = '0';

    /// <summary>The text with marks.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="control">Finds control tokens.</param>
    /// <param name="contents">The texts of control tokens.</param>
    public static string Mark(string text, AddedTokenFinder control, IReadOnlyList<string> contents)
    {
        List<(int Start, int End)> parts = Parts(text, control, contents);
        if (parts.Count == 0 && text.AsSpan().IndexOfAnyInRange(Begin, Escape) < 0)
        {
            return text;
        }

        StringBuilder marked = new(text.Length + (2 * parts.Count));
        int next = 0;
        for (int at = 0; at < text.Length; at++)
        {
            if (next < parts.Count && parts[next].Start == at)
            {
                marked.Append(Begin);
            }

            _ = text[at] is >= Begin and <= Escape ? marked.Append(Escape).Append((char)(text[at] - Begin + FirstEscaped)) : marked.Append(text[at]);
            if (next < parts.Count && parts[next].End == at + 1)
            {
                marked.Append(End);
                next++;
            }
        }

        return marked.ToString();
    }

    /// <summary>The text without marks, and the parts that were marked.</summary>
    public static (string Text, List<(int Start, int End)> Parts) Unmark(string marked)
    {
        if (marked.AsSpan().IndexOfAnyInRange(Begin, Escape) < 0)
        {
            return (marked, []);
        }

        StringBuilder text = new(marked.Length);
        List<(int Start, int End)> parts = [];
        int start = -1;
        for (int at = 0; at < marked.Length; at++)
        {
            switch (marked[at])
            {
                case Begin:
                    start = start < 0 ? text.Length : start;
                    break;
                case End:
                    // A template has cut the beginning off: all that is left before the mark may belong to the part.
                    parts.Add((start >= 0 ? start : parts.Count > 0 ? parts[^1].End : 0, text.Length));
                    start = -1;
                    break;
                case Escape when at + 1 < marked.Length && marked[at + 1] is >= FirstEscaped and <= (char)(FirstEscaped + Escape - Begin):
                    text.Append((char)(marked[++at] - FirstEscaped + Begin));
                    break;
                default:
                    text.Append(marked[at]);
                    break;
            }
        }

        if (start >= 0)
        {
            parts.Add((start, text.Length));
        }

        return (text.ToString(), parts);
    }

    // Where control tokens are written, and the ends of the text that are a part of one; ascending, none touching another.
    private static List<(int Start, int End)> Parts(string text, AddedTokenFinder control, IReadOnlyList<string> contents)
    {
        long steps = 0;
        List<(int Start, int End)> parts = [.. control.FindAll(text, ref steps).Select(found => (found.Start, found.Start + found.Token.Content.Length))];
        int head = 0, tail = 0;
        foreach (string content in contents)
        {
            head = Math.Max(head, Overlap(content, text));
            tail = Math.Max(tail, Overlap(text, content));
            if (content.Contains(text, StringComparison.Ordinal))
            {
                head = text.Length;
            }
        }

        parts.AddRange(((int Start, int End)[])[(0, head), (text.Length - tail, text.Length)]);
        List<(int Start, int End)> merged = [];
        foreach ((int start, int end) in parts.Where(part => part.End > part.Start).Order())
        {
            if (merged.Count > 0 && start <= merged[^1].End)
            {
                merged[^1] = (merged[^1].Start, Math.Max(end, merged[^1].End));
            }
            else
            {
                merged.Add((start, end));
            }
        }

        return merged;
    }

    // How much of the end of one text, less than all of it, is the beginning of another.
    private static int Overlap(string left, string right)
    {
        for (int length = Math.Min(left.Length - 1, right.Length); length > 0; length--)
        {
            if (left.AsSpan(left.Length - length).SequenceEqual(right.AsSpan(0, length)))
            {
                return length;
            }
        }

        return 0;
    }
}
