using System.Text;

namespace Mamba.Managed.Templates;

/// <summary>Filters that give texts.</summary>
internal static class TextFilters
{
    /// <summary>A value as a text.</summary>
    public static string Text(Rendering rendering, object? value, Arguments arguments)
    {
        _ = arguments.Bind(rendering, 0);
        return Counted(rendering, value);
    }

    /// <summary>A text with each word capitalized; words begin behind white space, hyphens and opening brackets.</summary>
    public static string Title(string text)
    {
        StringBuilder result = new(text.Length);
        bool begins = true;
        foreach (string point in CodePoints.Of(text))
        {
            bool divides = "-({[<".Contains(point, StringComparison.Ordinal) || PythonText.IsSpace(point);
            result.Append(divides ? point : begins ? TextCase.Upper(point) : TextCase.Lower(point));
            begins = divides;
        }

        return result.ToString();
    }

    /// <summary>A text with what HTML would read replaced.</summary>
    public static object? Escape(Rendering rendering, object? value, Arguments arguments)
    {
        BoundedText result = new(rendering);
        foreach (char character in Text(rendering, value, arguments))
        {
            result.Append(character switch { '&' => "&amp;", '<' => "&lt;", '>' => "&gt;", '\'' => "&#39;", '"' => "&#34;", _ => character.ToString() });
        }

        return result.ToString();
    }

    /// <summary>A text in the middle of a field.</summary>
    public static object? Center(Rendering rendering, object? value, Arguments arguments) =>
        TextEdges.Pad(rendering, Counted(rendering, value), arguments.Bind(rendering, 0, "width").Integer(0, 80), " ", '^');

    /// <summary>A format with values in their places, as the operator % does.</summary>
    public static object? Format(Rendering rendering, object? value, Arguments arguments)
    {
        if (arguments.Positional.Length > 0 && arguments.Keywords.Count > 0)
        {
            throw rendering.Failed("format: expected values either with names or without");
        }

        PyDict named = new();
        foreach ((string name, object? given) in arguments.Keywords)
        {
            named.Set(name, given);
        }

        return PercentFormat.Of(rendering, Counted(rendering, value), named.Count > 0 ? named : new PyTuple(arguments.Positional));
    }

    /// <summary>A text with its lines indented, the first one only where it is asked for.</summary>
    public static object? Indent(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "width", "first", "blank");
        string text = value as string ?? throw rendering.Unfit("indent: expected a text", value);
        long width = bound[0] is string ? 0 : bound.Integer(0, 4);
        rendering.RequireText(Math.Max(width, 0));
        string space = bound[0] as string ?? new string(' ', (int)Math.Max(width, 0));
        bool first = bound.Flag(1), blank = bound.Flag(2);
        BoundedText result = new(rendering);
        int index = 0;
        foreach (string line in TextSplitting.Lines(rendering, text + "\n"))
        {
            result.Append(index > 0 ? "\n" : "");
            result.Append(index == 0 ? (first ? space : "") : line.Length > 0 || blank ? space : "");
            result.Append(line);
            index++;
        }

        return result.ToString();
    }

    /// <summary>A text with some or all places of another one replaced.</summary>
    public static object? Replace(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 2, "old", "new", "count");
        return TextMethods.Replace(
            rendering, Counted(rendering, value), PythonText.Str(rendering, bound[0]), PythonText.Str(rendering, bound[1]), bound[2] is null ? -1 : bound.Integer(2));
    }

    /// <summary>A text without white space, or other characters, at its ends.</summary>
    public static object? Trim(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "chars");
        return TextEdges.Strip(Counted(rendering, value), bound[0] is null ? null : bound.Text(0), true, true);
    }

    /// <summary>The beginning of a text that is longer than a length, as a rule up to the end of a word.</summary>
    public static object? Truncate(Rendering rendering, object? value, Arguments arguments)
    {
        const long DefaultLength = 255, DefaultLeeway = 5;
        Bound bound = arguments.Bind(rendering, 0, "length", "killwords", "end", "leeway");
        string text = value as string ?? (value is Undefined ? "" : throw rendering.Unfit("truncate: expected a text", value)), end = bound.Text(2, "...");
        long length = bound.Integer(0, DefaultLength), leeway = bound[3] is null ? DefaultLeeway : bound.Integer(3), kept = length - CodePoints.Count(end);
        if (kept < 0 || leeway < 0)
        {
            throw rendering.Failed("truncate: expected a length of at least that of the end, and no negative leeway");
        }

        rendering.StepText(text.Length);
        if (CodePoints.Count(text) - leeway <= length)
        {
            return text;
        }

        string begin = text[..CodePoints.Offset(text, (int)kept)];
        int space = bound.Flag(1) ? -1 : begin.LastIndexOf(' ');
        return (space < 0 ? begin : begin[..space]) + end;
    }

    /// <summary>How many words a text has.</summary>
    public static object? CountWords(Rendering rendering, object? value, Arguments arguments)
    {
        long words = 0;
        bool isInWord = false;
        foreach (Rune rune in Text(rendering, value, arguments).EnumerateRunes())
        {
            bool isPart = rune.Value == '_' || TextKinds.IsLetterOrNumber(rune);
            words += isPart && !isInWord ? 1 : 0;
            isInWord = isPart;
        }

        return words;
    }

    private static string Counted(Rendering rendering, object? value)
    {
        string text = PythonText.Str(rendering, value);
        rendering.StepText(text.Length);
        return text;
    }
}
