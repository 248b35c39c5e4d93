namespace Mamba.Managed.Templates;

/// <summary>Methods of texts.</summary>
internal static class TextMethods
{
    private static readonly HashSet<string> Unsupported =
        ["casefold", "encode", "expandtabs", "format_map", "isidentifier", "isprintable", "maketrans", "translate"];

    private static readonly Dictionary<string, Func<Rendering, string, Arguments, object?>> Methods = new()
    {
        ["strip"] = (rendering, text, arguments) => TextEdges.Strip(text, Characters(rendering, arguments), true, true),
        ["lstrip"] = (rendering, text, arguments) => TextEdges.Strip(text, Characters(rendering, arguments), true, false),
        ["rstrip"] = (rendering, text, arguments) => TextEdges.Strip(text, Characters(rendering, arguments), false, true),
        ["removeprefix"] = (rendering, text, arguments) => One(rendering, arguments) is var part && text.StartsWith(part, StringComparison.Ordinal) ? text[part.Length..] : text,
        ["removesuffix"] = (rendering, text, arguments) => One(rendering, arguments) is var part && text.EndsWith(part, StringComparison.Ordinal) ? text[..^part.Length] : text,
        ["startswith"] = (rendering, text, arguments) => TextSearch.HasEdge(rendering, text, arguments, isStart: true),
        ["endswith"] = (rendering, text, arguments) => TextSearch.HasEdge(rendering, text, arguments, isStart: false),
        ["split"] = (rendering, text, arguments) => TextSplitting.Split(rendering, text, arguments, fromEnd: false),
        ["rsplit"] = (rendering, text, arguments) => TextSplitting.Split(rendering, text, arguments, fromEnd: true),
        ["splitlines"] = (rendering, text, arguments) => new PyList([.. TextSplitting.Lines(rendering, text, arguments.Bind(rendering, 0, "keepends").Flag(0))]),
        ["partition"] = (rendering, text, arguments) => TextSplitting.Partition(rendering, text, One(rendering, arguments), fromEnd: false),
        ["rpartition"] = (rendering, text, arguments) => TextSplitting.Partition(rendering, text, One(rendering, arguments), fromEnd: true),
        ["join"] = (rendering, text, arguments) => Join(rendering, text, arguments.Bind(rendering, 1, "iterable")[0]),
        ["replace"] = (rendering, text, arguments) =>
            arguments.Bind(rendering, 2, "old", "new", "count") is var bound ? Replace(rendering, text, bound.Text(0), bound.Text(1), bound.Integer(2, -1)) : text,
        ["find"] = (rendering, text, arguments) => TextSearch.Find(rendering, text, arguments, fromEnd: false),
        ["rfind"] = (rendering, text, arguments) => TextSearch.Find(rendering, text, arguments, fromEnd: true),
        ["index"] = (rendering, text, arguments) => TextSearch.Index(rendering, text, arguments, fromEnd: false),
        ["rindex"] = (rendering, text, arguments) => TextSearch.Index(rendering, text, arguments, fromEnd: true),
        ["count"] = TextSearch.Count,
        ["upper"] = (rendering, text, arguments) => None(rendering, arguments, TextCase.Upper(text)),
        ["lower"] = (rendering, text, arguments) => None(rendering, arguments, TextCase.Lower(text)),
        ["title"] = (rendering, text, arguments) => None(rendering, arguments, TextCase.Title(text)),
        ["capitalize"] = (rendering, text, arguments) => None(rendering, arguments, TextCase.Capitalize(text)),
        ["swapcase"] = (rendering, text, arguments) => None(rendering, arguments, TextCase.Swap(text)),
        ["format"] = (rendering, text, arguments) => new BraceFormat(rendering, text, arguments).Make(),
        ["center"] = (rendering, text, arguments) => TextEdges.Pad(rendering, text, arguments, '^'),
        ["ljust"] = (rendering, text, arguments) => TextEdges.Pad(rendering, text, arguments, '<'),
        ["rjust"] = (rendering, text, arguments) => TextEdges.Pad(rendering, text, arguments, '>'),
        ["zfill"] = (rendering, text, arguments) => TextEdges.ZeroFill(rendering, text, arguments.Bind(rendering, 1, "width").Integer(0)),
        ["isalpha"] = (rendering, text, arguments) => None(rendering, arguments, TextKinds.All(text, TextKinds.IsLetter)),
        ["isalnum"] = (rendering, text, arguments) => None(rendering, arguments, TextKinds.All(text, TextKinds.IsLetterOrNumber)),
        ["isdigit"] = (rendering, text, arguments) => None(rendering, arguments, TextKinds.All(text, TextKinds.IsDigit)),
        ["isdecimal"] = (rendering, text, arguments) => None(rendering, arguments, TextKinds.All(text, TextKinds.IsDecimal)),
        ["isnumeric"] = (rendering, text, arguments) => None(rendering, arguments, TextKinds.All(text, TextKinds.IsNumeric)),
        ["isspace"] = (rendering, text, arguments) => None(rendering, arguments, PythonText.IsSpace(text)),
        ["isascii"] = (rendering, text, arguments) => None(rendering, arguments, System.Text.Ascii.IsValid(text)),
        ["isupper"] = (rendering, text, arguments) => None(rendering, arguments, TextKinds.IsUpper(text)),
        ["islower"] = (rendering, text, arguments) => None(rendering, arguments, TextKinds.IsLower(text)),
        ["istitle"] = (rendering, text, arguments) => None(rendering, arguments, TextKinds.IsTitle(text)),
    };

    /// <summary>Whether texts have a method of a name.</summary>
    public static bool IsMethod(string name) => Methods.ContainsKey(name) || Unsupported.Contains(name);

    /// <summary>A method of a text; null where it is not supported.</summary>
    public static object? Find(string text, string name) => !Methods.TryGetValue(name, out Func<Rendering, string, Arguments, object?>? body) ? null
        : new BuiltIn(name, (rendering, arguments) =>
        {
            rendering.StepText(text.Length);
            return body(rendering, text, arguments);
        });

    /// <summary>The texts of a list with a text between them.</summary>
    public static string Join(Rendering rendering, string separator, object? items)
    {
        BoundedText text = new(rendering);
        bool isFirst = true;
        foreach (object? item in Iteration.Of(rendering, items))
        {
            text.Append(isFirst ? "" : separator);
            text.Append(item as string ?? throw rendering.Unfit("join: expected texts", item));
            isFirst = false;
        }

        return text.ToString();
    }

    /// <summary>A text with some or, for a negative count, all places of another one replaced.</summary>
    public static string Replace(Rendering rendering, string text, string old, string with, long count)
    {
        rendering.StepSearch(text, old);
        BoundedText result = new(rendering);
        int at = 0;
        for (long done = 0; count < 0 || done < count; done++)
        {
            // An empty text is found before each code point and at the end.
            int found = old.Length > 0 ? text.IndexOf(old, at, StringComparison.Ordinal) : done == 0 ? 0 : at < text.Length ? at + CodePoints.Offset(text.Substring(at, Math.Min(2, text.Length - at)), 1) : -1;
            if (found < 0)
            {
                break;
            }

            rendering.Step();
            result.Append(text[at..found]);
            result.Append(with);
            at = found + old.Length;
        }

        result.Append(text[at..]);
        return result.ToString();
    }

    private static string? Characters(Rendering rendering, Arguments arguments) =>
        arguments.Bind(rendering, 0, "chars") is var bound && bound[0] is not null ? bound.Text(0) : null;

    private static string One(Rendering rendering, Arguments arguments) => arguments.Bind(rendering, 1, "text").Text(0);

    private static object? None(Rendering rendering, Arguments arguments, object? result)
    {
        _ = arguments.Bind(rendering, 0);
        return result;
    }
}
