namespace Mamba.Managed.Templates;

/// <summary>Cutting texts into parts.</summary>
internal static class TextSplitting
{
    /// <summary>The parts between places of a text, or between white space; the number of cuts may be bounded.</summary>
    public static object Split(Rendering rendering, string text, Arguments arguments, bool fromEnd)
    {
        Bound bound = arguments.Bind(rendering, 0, "sep", "maxsplit");
        string? separator = bound[0] is null ? null : bound.Text(0);
        long most = bound.Integer(1, -1);
        if (separator is { Length: 0 })
        {
            throw rendering.Failed("split: expected a separator that is not empty");
        }

        rendering.StepSearch(text, separator ?? "");
        List<object?> parts = separator is null
            ? fromEnd ? WordsFromEnd(rendering, text, most) : Words(rendering, text, most)
            : fromEnd ? PartsFromEnd(rendering, text, separator, most) : Parts(rendering, text, separator, most);
        return new PyList([.. parts]);
    }

    /// <summary>What is before a text, the text and what is behind it.</summary>
    public static object Partition(Rendering rendering, string text, string separator, bool fromEnd)
    {
        if (separator.Length == 0)
        {
            throw rendering.Failed("partition: expected a separator that is not empty");
        }

        rendering.StepSearch(text, separator);
        int at = fromEnd ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        return at >= 0 ? new PyTuple([text[..at], separator, text[(at + separator.Length)..]])
            : fromEnd ? new PyTuple(["", "", text]) : new PyTuple([text, "", ""]);
    }

    /// <summary>The lines of a text.</summary>
    public static IEnumerable<string> Lines(Rendering rendering, string text, bool keepsEnds = false)
    {
        for (int start = 0; start < text.Length;)
        {
            rendering.Step();
            int end = start;
            while (end < text.Length && !IsLineEnd(text[end]))
            {
                end++;
            }

            int next = end == text.Length ? end : text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? end + 2 : end + 1;
            yield return text[start..(keepsEnds ? next : end)];
            start = next;
        }
    }

    private static bool IsLineEnd(char character) => character is '\n' or '\r' or '\v' or '\f' or >= '\x1c' and <= '\x1e' or '\x85' or '\u2028' or '\u2029';

    private static List<object?> Parts(Rendering rendering, string text, string separator, long most)
    {
        List<object?> parts = [];
        int at = 0;
        for (int found = text.IndexOf(separator, StringComparison.Ordinal); found >= 0 && (most < 0 || parts.Count < most); found = text.IndexOf(separator, at, StringComparison.Ordinal))
        {
            rendering.Step();
            parts.Add(text[at..found]);
            at = found + separator.Length;
        }

        parts.Add(text[at..]);
        return parts;
    }

    private static List<object?> PartsFromEnd(Rendering rendering, string text, string separator, long most)
    {
        List<object?> parts = [];
        ReadOnlySpan<char> rest = text;
        for (int found = rest.LastIndexOf(separator); found >= 0 && (most < 0 || parts.Count < most); found = rest.LastIndexOf(separator))
        {
            rendering.Step();
            parts.Add(rest[(found + separator.Length)..].ToString());
            rest = rest[..found];
        }

        parts.Add(rest.ToString());
        parts.Reverse();
        return parts;
    }

    private static List<object?> Words(Rendering rendering, string text, long most)
    {
        List<object?> words = [];
        ReadOnlySpan<char> rest = PythonText.TrimStart(text);
        while (rest.Length > 0)
        {
            rendering.Step();
            int end = 0;
            while (end < rest.Length && !PythonText.IsSpace(rest[end]))
            {
                end++;
            }

            if (most >= 0 && words.Count >= most)
            {
                words.Add(rest.ToString());
                break;
            }

            words.Add(rest[..end].ToString());
            rest = PythonText.TrimStart(rest[end..]);
        }

        return words;
    }

    private static List<object?> WordsFromEnd(Rendering rendering, string text, long most)
    {
        List<object?> words = [];
        ReadOnlySpan<char> rest = PythonText.TrimEnd(text);
        while (rest.Length > 0)
        {
            rendering.Step();
            int start = rest.Length;
            while (start > 0 && !PythonText.IsSpace(rest[start - 1]))
            {
                start--;
            }

            if (most >= 0 && words.Count >= most)
            {
                words.Add(rest.ToString());
                break;
            }

            words.Add(rest[start..].ToString());
            rest = PythonText.TrimEnd(rest[..start]);
        }

        words.Reverse();
        return words;
    }
}
