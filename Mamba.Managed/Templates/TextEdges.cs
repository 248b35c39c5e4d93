namespace Mamba.Managed.Templates;

/// <summary>Stripping and padding of texts.</summary>
internal static class TextEdges
{
    /// <summary>A text without some characters, or white space, at its ends.</summary>
    public static string Strip(string text, string? characters, bool start, bool end)
    {
        if (characters is null)
        {
            ReadOnlySpan<char> rest = start ? PythonText.TrimStart(text) : text;
            return (end ? PythonText.TrimEnd(rest) : rest).ToString();
        }

        HashSet<string> set = [.. CodePoints.Of(characters)];
        int first = 0, last = text.Length;
        while (start && first < last && set.Contains(Point(text, first, last)))
        {
            first += Point(text, first, last).Length;
        }

        while (end && last > first && set.Contains(LastPoint(text, first, last)))
        {
            last -= LastPoint(text, first, last).Length;
        }

        return text[first..last];
    }

    /// <summary>A text in a field of a width.</summary>
    public static string Pad(Rendering rendering, string text, Arguments arguments, char align)
    {
        Bound bound = arguments.Bind(rendering, 1, "width", "fillchar");
        string fill = bound.Text(1, " ");
        return CodePoints.Count(fill) == 1 ? Pad(rendering, text, bound.Integer(0), fill, align) : throw rendering.Failed("expected one character that fills the field");
    }

    /// <summary>A text in a field of a width.</summary>
    public static string Pad(Rendering rendering, string text, long width, string fill, char align)
    {
        long missing = Math.Max(width - CodePoints.Count(text), 0);
        rendering.RequireText(Math.Min(missing, int.MaxValue) * fill.Length + text.Length);

        // Python puts the odd character of a centered text to the left where the width is odd.
        long left = align switch { '<' => 0, '>' => missing, _ => (missing / 2) + (missing & width & 1) };
        return Many(fill, left) + text + Many(fill, missing - left);
    }

    /// <summary>A number with zeros behind its sign.</summary>
    public static string ZeroFill(Rendering rendering, string text, long width)
    {
        bool hasSign = text.Length > 0 && text[0] is '+' or '-';
        return hasSign ? text[0] + Pad(rendering, text[1..], width - 1, "0", '>') : Pad(rendering, text, width, "0", '>');
    }

    private static string Many(string fill, long count) => string.Concat(Enumerable.Repeat(fill, (int)count));

    private static string Point(string text, int at, int end) =>
        char.IsHighSurrogate(text[at]) && at + 1 < end && char.IsLowSurrogate(text[at + 1]) ? text.Substring(at, 2) : text.Substring(at, 1);

    private static string LastPoint(string text, int start, int end) =>
        char.IsLowSurrogate(text[end - 1]) && end - 2 >= start && char.IsHighSurrogate(text[end - 2]) ? text.Substring(end - 2, 2) : text.Substring(end - 1, 1);
}
