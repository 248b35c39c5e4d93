using System.Globalization;
using System.Numerics;
using System.Text;

namespace Mamba.Managed.Templates;

/// <summary>Values as Python prints them, and what Python takes for white space.</summary>
internal static class PythonText
{
    /// <summary>Whether a character is white space.</summary>
    public static bool IsSpace(char character) => char.IsWhiteSpace(character) || character is >= '\x1c' and <= '\x1f';

    /// <summary>Whether a text is nothing but white space, and not empty.</summary>
    public static bool IsSpace(ReadOnlySpan<char> text)
    {
        foreach (char character in text)
        {
            if (!IsSpace(character))
            {
                return false;
            }
        }

        return text.Length > 0;
    }

    /// <summary>A text without white space at its end.</summary>
    public static ReadOnlySpan<char> TrimEnd(ReadOnlySpan<char> text)
    {
        while (text.Length > 0 && IsSpace(text[^1]))
        {
            text = text[..^1];
        }

        return text;
    }

    /// <summary>A text without white space at its beginning.</summary>
    public static ReadOnlySpan<char> TrimStart(ReadOnlySpan<char> text)
    {
        while (text.Length > 0 && IsSpace(text[0]))
        {
            text = text[1..];
        }

        return text;
    }

    /// <summary>A text with one kind of newline.</summary>
    public static string NormalizeNewlines(string text) =>
        text.Contains('\r') ? text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n') : text;

    /// <summary>The name of a value's type in Python.</summary>
    public static string TypeName(object? value) => value switch
    {
        null => "None",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        string => "str",
        PyList => "list",
        PyTuple => "tuple",
        PyDict => "dict",
        PyRange => "range",
        DictView view => $"dict_{view.Part.ToString().ToLowerInvariant()}",
        PyIterator => "generator",
        Undefined => "Undefined",
        Namespace => "namespace",
        LoopState => "loop",
        _ => "function",
    };

    /// <summary>A value as it is printed: a text itself, of others what stands for them in Python.</summary>
    public static string Str(Rendering rendering, object? value) => value switch
    {
        string text => text,
        Undefined => "",
        _ => Repr(rendering, value),
    };

    /// <summary>What stands for a value in Python.</summary>
    public static string Repr(Rendering rendering, object? value)
    {
        BoundedText text = new(rendering);
        Append(rendering, text, value);
        return text.ToString();
    }

    /// <summary>A text in quotes, as Python prints it in a list.</summary>
    public static string Repr(string text)
    {
        char quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        StringBuilder result = new(text.Length + 2);
        result.Append(quote);
        foreach (string point in CodePoints.Of(text))
        {
            int code = point.Length == 2 ? char.ConvertToUtf32(point, 0) : point[0];
            _ = code switch
            {
                '\n' => result.Append("\\n"),
                '\r' => result.Append("\\r"),
                '\t' => result.Append("\\t"),
                '\\' => result.Append("\\\\"),
                _ when code == quote => result.Append('\\').Append(quote),
                ' ' => result.Append(' '),
                _ when IsPrintable(code) => result.Append(point),
                < 0x100 => result.Append(CultureInfo.InvariantCulture, $"\\x{code:x2}"),
                < 0x10000 => result.Append(CultureInfo.InvariantCulture, $"\\u{code:x4}"),
                _ => result.Append(CultureInfo.InvariantCulture, $"\\U{code:x8}"),
            };
        }

        return result.Append(quote).ToString();
    }

    private static bool IsPrintable(int code) => CharUnicodeInfo.GetUnicodeCategory(code) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    private static void Append(Rendering rendering, BoundedText text, object? value)
    {
        rendering.Step();
        switch (value)
        {
            case null or bool:
                text.Append(value is null ? "None" : value is true ? "True" : "False");
                break;
            case string inner:
                text.Append(Repr(inner));
                break;
            case long or BigInteger:
                text.Append(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture));
                break;
            case double number:
                text.Append(PythonFloat.Repr(number));
                break;
            case PyTuple { Items.Length: 1 } tuple:
                Append(rendering, text, "(", tuple.Items, ",)");
                break;
            case PySequence sequence:
                Append(rendering, text, sequence is PyList ? "[" : "(", sequence.Items, sequence is PyList ? "]" : ")");
                break;
            case PyDict dict:
                AppendDict(rendering, text, dict);
                break;
            case DictView view:
                Append(rendering, text, $"{TypeName(view)}([", view.Entries, "])");
                break;
            case PyRange range:
                text.Append(Throw.Invariant(range.Step == 1 ? (FormattableString)$"range({range.Start}, {range.Stop})" : $"range({range.Start}, {range.Stop}, {range.Step})"));
                break;
            case Undefined:
                text.Append("Undefined");
                break;
            case PyIterator:
                throw rendering.Failed("a generator has no text; put '| list' behind it");
            default:
                throw rendering.Failed($"a value of the type {TypeName(value)} has no text");
        }
    }

    private static void Append(Rendering rendering, BoundedText text, string open, IEnumerable<object?> items, string close)
    {
        rendering.Descend();
        text.Append(open);
        string separator = "";
        foreach (object? item in items)
        {
            text.Append(separator);
            Append(rendering, text, item);
            separator = ", ";
        }

        text.Append(close);
        rendering.Leave();
    }

    private static void AppendDict(Rendering rendering, BoundedText text, PyDict dict)
    {
        rendering.Descend();
        text.Append("{");
        string separator = "";
        foreach ((object? key, object? value) in dict.Pairs)
        {
            text.Append(separator);
            Append(rendering, text, key);
            text.Append(": ");
            Append(rendering, text, value);
            separator = ", ";
        }

        text.Append("}");
        rendering.Leave();
    }
}
