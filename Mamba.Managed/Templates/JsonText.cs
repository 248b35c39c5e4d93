using System.Globalization;
using System.Numerics;

namespace Mamba.Managed.Templates;

/// <summary>The filter <c>tojson</c>: JSON as Python's <c>json.dumps</c> writes it, with nothing escaped for HTML.</summary>
internal sealed class JsonText
{
    private readonly Rendering rendering;
    private readonly BoundedText text;
    private readonly bool isAscii;
    private readonly string? indent;
    private readonly string itemSeparator;
    private readonly string keySeparator;
    private readonly bool sortsKeys;

    private JsonText(Rendering rendering, Bound bound)
    {
        (this.rendering, text) = (rendering, new BoundedText(rendering));
        isAscii = bound.Flag(0);
        indent = bound[1] switch
        {
            null => null,
            string given => given,
            _ => new string(' ', (int)Math.Clamp(bound.Integer(1), 0, NumberFormat.Most)),
        };
        object?[] separators = bound[2] is null ? [indent is null ? ", " : ",", ": "] : Iteration.ToArray(rendering, bound[2]);
        if (separators is not [string item, string key])
        {
            throw rendering.Failed("tojson: expected two texts as 'separators'");
        }

        (itemSeparator, keySeparator, sortsKeys) = (item, key, bound.Flag(3));
    }

    /// <summary>A value as JSON.</summary>
    public static string Of(Rendering rendering, object? value, Arguments arguments)
    {
        JsonText json = new(rendering, arguments.Bind(rendering, 0, "ensure_ascii", "indent", "separators", "sort_keys"));
        json.Append(value, 0);
        return json.text.ToString();
    }

    private void Append(object? value, int level)
    {
        rendering.Step();
        switch (value)
        {
            case string inner:
                AppendText(inner);
                break;
            case PySequence sequence:
                AppendAll("[", sequence.Items, "]", level, item => Append(item, level + 1));
                break;
            case PyDict dict:
                AppendAll("{", Pairs(dict), "}", level, pair => AppendPair(pair, level + 1));
                break;
            default:
                text.Append(Scalar(value) ?? throw rendering.Unfit("tojson: expected what JSON has", value is Undefined ? null : value));
                break;
        }
    }

    private void AppendAll<T>(string open, IReadOnlyCollection<T> items, string close, int level, Action<T> append)
    {
        rendering.Descend();
        text.Append(open);
        bool isFirst = true;
        foreach (T item in items)
        {
            text.Append(isFirst ? "" : itemSeparator);
            NewLine(level + 1);
            append(item);
            isFirst = false;
        }

        if (!isFirst)
        {
            NewLine(level);
        }

        text.Append(close);
        rendering.Leave();
    }

    private void AppendPair(KeyValuePair<object?, object?> pair, int level)
    {
        AppendText(pair.Key as string ?? Scalar(pair.Key) ?? throw rendering.Unfit("tojson: expected texts or numbers as keys", pair.Key));
        text.Append(keySeparator);
        Append(pair.Value, level);
    }

    private KeyValuePair<object?, object?>[] Pairs(PyDict dict)
    {
        KeyValuePair<object?, object?>[] pairs = [.. dict.Pairs];
        return sortsKeys ? Sorting.By(rendering, pairs, pair => pair.Key, reverse: false) : pairs;
    }

    private static string? Scalar(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        long or BigInteger => ((IFormattable)value).ToString(null, CultureInfo.InvariantCulture),
        double number => double.IsFinite(number) ? PythonFloat.Repr(number) : double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity",
        _ => null,
    };

    private void NewLine(int level)
    {
        if (indent is not null)
        {
            text.Append("\n");
            for (int count = 0; count < level; count++)
            {
                text.Append(indent);
            }
        }
    }

    private void AppendText(string value)
    {
        text.Append("\"");
        int plain = 0;
        for (int at = 0; at < value.Length; at++)
        {
            char character = value[at];
            string? escape = character switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\f' => "\\f",
                '\b' => "\\b",
                _ when character < ' ' || (isAscii && character > '~') => Throw.Invariant($"\\u{(int)character:x4}"),
                _ => null,
            };
            if (escape is not null)
            {
                text.Append(value[plain..at]);
                text.Append(escape);
                plain = at + 1;
            }
        }

        text.Append(value[plain..]);
        text.Append("\"");
    }
}
