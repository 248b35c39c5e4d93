using System.Numerics;

namespace Mamba.Managed.Templates;

/// <summary>The operator <c>%</c> of texts: <c>'%s: %d' % (name, count)</c>.</summary>
internal sealed class PercentFormat
{
    private readonly Rendering rendering;
    private readonly string format;
    private readonly object? values;
    private readonly object?[] list;
    private int at;
    private int used;
    private bool usesNames;

    private PercentFormat(Rendering rendering, string format, object? values)
    {
        (this.rendering, this.format, this.values) = (rendering, format, values);
        list = values is PyTuple tuple ? tuple.Items : [values];
    }

    /// <summary>The format with the values in their places.</summary>
    public static string Of(Rendering rendering, string format, object? values) => new PercentFormat(rendering, format, values).Make();

    private string Make()
    {
        BoundedText text = new(rendering);
        while (at < format.Length)
        {
            int next = format.IndexOf('%', at);
            text.Append(format[at..(next < 0 ? format.Length : next)]);
            at = next < 0 ? format.Length : next + 1;
            if (next >= 0)
            {
                text.Append(Conversion());
            }
        }

        bool allUsed = usesNames || used == list.Length || (used == 0 && values is PyDict or PyList && values is not PyTuple);
        return allUsed ? text.ToString() : throw rendering.Failed("'%': expected fewer values for the format");
    }

    private string Conversion()
    {
        object? named = null;
        bool isNamed = at < format.Length && format[at] == '(';
        if (isNamed)
        {
            int end = format.IndexOf(')', at);
            string key = end < 0 ? throw rendering.Failed("'%': expected ')' behind the name") : format[(at + 1)..end];
            PyDict dict = values as PyDict ?? throw rendering.Unfit("'%' with a name: expected a mapping", values);
            named = dict.TryGet(key, out object? value) ? value : throw rendering.Failed($"'%': the mapping has no key '{Shortened.Text(key)}'");
            at = end + 1;
            usesNames = true;
        }

        NumberFormat field = ReadField();
        char kind = at < format.Length ? format[at++] : throw rendering.Failed("'%': the format is not complete");
        return kind == '%' ? "%" : Convert(field, kind, isNamed ? named : Next());
    }

    private NumberFormat ReadField()
    {
        int start = at;
        while (at < format.Length && "-+ 0#".Contains(format[at]))
        {
            at++;
        }

        string flags = format[start..at];
        int width = ReadSize();
        int? precision = null;
        if (at < format.Length && format[at] == '.')
        {
            at++;
            precision = Math.Max(ReadSize(), 0);
        }

        at += at < format.Length && format[at] is 'l' or 'h' or 'L' ? 1 : 0;
        bool isLeft = flags.Contains('-') || width < 0, isZero = flags.Contains('0') && !isLeft;
        return new NumberFormat
        {
            Align = isLeft ? '<' : isZero ? '=' : '>',
            Fill = isZero ? '0' : ' ',
            Plus = flags.Contains('+') ? "+" : flags.Contains(' ') ? " " : "",
            IsMarked = flags.Contains('#'),
            Width = Math.Abs(width),
            Precision = precision,
        };
    }

    private int ReadSize()
    {
        long size = 0;
        if (at < format.Length && format[at] == '*')
        {
            at++;
            object? value = Next();
            size = value is long given ? given : throw rendering.Unfit("'%*': expected an integer", value);
        }

        for (; at < format.Length && char.IsAsciiDigit(format[at]) && size <= NumberFormat.Most; at++)
        {
            size = (size * 10) + format[at] - '0';
        }

        return Math.Abs(size) <= NumberFormat.Most ? (int)size : throw rendering.Failed(Throw.Invariant($"'%': expected at most {NumberFormat.Most} characters or digits"));
    }

    private object? Next() => used < list.Length && !usesNames ? list[used++] : throw rendering.Failed("'%': expected more values for the format");

    private string Convert(NumberFormat field, char kind, object? value)
    {
        NumberFormat plain = field with { Fill = ' ', Align = field.Align == '=' ? '>' : field.Align };
        switch (kind)
        {
            case 's':
                return plain.Text(rendering, PythonText.Str(rendering, value));
            case 'r':
                return plain.Text(rendering, PythonText.Repr(rendering, value));
            case 'c' when value is string text && CodePoints.Count(text) == 1:
                return (plain with { Precision = null }).Text(rendering, text);
            case 'c' when value is long code && code is >= 0 and <= 0x10FFFF and not (>= 0xD800 and <= 0xDFFF):
                return (plain with { Precision = null }).Text(rendering, char.ConvertFromUtf32((int)code));
            case 'd' or 'i' or 'u' when value is double number && double.IsFinite(number):
                return field.Integer(rendering, new BigInteger(Math.Truncate(number)), 'd');
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o' when value is bool or long or BigInteger:
                return field.Integer(rendering, value is BigInteger big ? big : Numbers.ToLong(value), kind is 'i' or 'u' ? 'd' : kind);
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G' when Numbers.Is(value) && !field.IsMarked:
                return (double.IsFinite(Numbers.ToDouble(value!)) ? field : plain).Float(rendering, Numbers.ToDouble(value!), kind);
            default:
                throw "srcdiuxXoeEfFgG".Contains(kind)
                    ? rendering.Unfit($"'%{kind}': expected a value of another type", value)
                    : rendering.Failed($"the conversion '%{kind}' is not supported");
        }
    }
}
