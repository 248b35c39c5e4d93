using System.Globalization;
using System.Text;

namespace Mamba.Managed.Cli;

/// <summary>Text of files and models as a terminal may get it: what would command the terminal, or hide how text is ordered, is written out.</summary>
internal static class Terminal
{
    private const int LongestLine = 1980;
    private const int KeptAtEnd = 600;
    private const string Cut = " ... ";

    /// <summary>Whether what is written goes to a terminal, not to a file or a pipe.</summary>
    public static bool Is(TextWriter output) => ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;

    /// <summary>The text with control characters as <c>\u001b</c>; ends of lines and tabs stay.</summary>
    public static string Escape(string text)
    {
        StringBuilder escaped = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            char letter = text[i];
            bool isLayout = letter is '\n' or '\t' || (letter == '\r' && i + 1 < text.Length && text[i + 1] == '\n');
            Append(escaped, letter, isLayout);
        }

        return escaped.ToString();
    }

    /// <summary>One line of fewer than 2,000 characters, without control characters; of a longer text the middle is left out.</summary>
    public static string Line(string text)
    {
        // Escapes make a text longer, so no more is looked at than can be shown.
        string part = text.Length <= 2 * LongestLine ? text : string.Concat(text.AsSpan(0, LongestLine), Cut, text.AsSpan(text.Length - LongestLine));
        StringBuilder escaped = new(part.Length);
        foreach (char letter in part.ReplaceLineEndings(" ").Replace('\t', ' '))
        {
            Append(escaped, letter, false);
        }

        string line = escaped.ToString();
        return line.Length <= LongestLine ? line : string.Concat(line.AsSpan(0, LongestLine - KeptAtEnd - Cut.Length), Cut, line.AsSpan(line.Length - KeptAtEnd));
    }

    /// <summary>Whether a letter is an override or an isolate: these show text in another order than that in which it is read.</summary>
    public static bool IsReordering(char letter) => letter is (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069');

    private static void Append(StringBuilder text, char letter, bool isLayout)
    {
        if (!isLayout && (char.IsControl(letter) || IsReordering(letter)))
        {
            text.Append(CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}");
        }
        else
        {
            text.Append(letter);
        }
    }
}
