using System.Numerics;

namespace Mamba.Managed.Templates;

/// <summary>The method <c>format</c> of texts: <c>'{}: {count:>4}'.format(name, count=3)</c>.</summary>
internal sealed class BraceFormat(Rendering rendering, string format, Arguments arguments)
{
    private int next;

    /// <summary>The format with the values in their places.</summary>
    public string Make()
    {
        BoundedText text = new(rendering);
        for (int at = 0; at < format.Length; at++)
        {
            char character = format[at];
            bool isDoubled = at + 1 < format.Length && format[at + 1] == character;
            if (character is not ('{' or '}'))
            {
                text.Append(character);
            }
            else if (isDoubled)
            {
                text.Append(character);
                at++;
            }
            else
            {
                int end = character == '{' ? format.IndexOf('}', at) : -1;
                string field = end < 0 ? throw rendering.Failed("format: a brace has no partner") : format[(at + 1)..end];
                text.Append(Field(field));
                at = end;
            }
        }

        return text.ToString();
    }

    private string Field(string field)
    {
        if (field.Contains('{'))
        {
            throw rendering.Failed("format: a field within a field is not supported");
        }

        int colon = field.IndexOf(':'), mark = (colon < 0 ? field : field[..colon]).IndexOf('!');
        string name = field[..(mark >= 0 ? mark : colon >= 0 ? colon : field.Length)], layout = colon < 0 ? "" : field[(colon + 1)..];
        object? value = Value(name);
        if (mark < 0)
        {
            return Laid(value, layout);
        }

        return field[(mark + 1)..(colon < 0 ? field.Length : colon)] switch
        {
            "s" => Laid(PythonText.Str(rendering, value), layout),
            "r" => Laid(PythonText.Repr(rendering, value), layout),
            string other => throw rendering.Failed($"format: the conversion '!{Shortened.Text(other)}' is not supported"),
        };
    }

    private object? Value(string name)
    {
        if (name.AsSpan().IndexOfAny('.', '[') >= 0)
        {
            throw rendering.Failed("format: members of a value in a field are not supported");
        }

        if (name.Length > 0 && !name.All(char.IsAsciiDigit))
        {
            return arguments.Find(name, out object? named) ? named : throw rendering.Failed($"format: expected an argument '{Shortened.Text(name)}'");
        }

        if ((name.Length == 0 && next < 0) || (name.Length > 0 && next > 0))
        {
            throw rendering.Failed("format: fields with and without numbers cannot be mixed");
        }

        int index = name.Length == 0 ? next++ : int.TryParse(name, out int given) ? given : int.MaxValue;
        next = name.Length == 0 ? next : -1;
        return index < arguments.Positional.Length ? arguments.Positional[index] : throw rendering.Failed("format: expected more arguments");
    }

    private string Laid(object? value, string layout)
    {
        if (layout.Length == 0)
        {
            return PythonText.Str(rendering, value);
        }

        value = value is bool ? Numbers.ToLong(value) : value;
        bool isNumber = Numbers.Is(value);
        int at = layout.Length > 1 && "<>^=".Contains(layout[1]) ? 1 : 0;
        NumberFormat field = new() { Align = isNumber ? '>' : '<', Fill = at == 1 ? layout[0] : ' ' };
        field = "<>^=".Contains(layout[at]) ? field with { Align = layout[at++] } : field;
        field = field with { Plus = Take("+- ") is { } sign and not '-' ? sign.ToString() : "" };
        field = field with { IsMarked = Take("#") is not null };
        field = at < layout.Length && layout[at] == '0' && "<>^=".IndexOf(layout[0]) < 0 ? field with { Fill = '0', Align = isNumber ? '=' : '<' } : field;
        field = field with { Width = Size() ?? 0 };
        field = field with { HasCommas = Take(",") is not null };
        field = Take(".") is null ? field : field with { Precision = Size() ?? throw rendering.Failed("format: expected digits behind the point") };
        char kind = at < layout.Length ? layout[at++] : ' ';
        return at < layout.Length ? throw Refused() : Converted(field, kind, value) ?? throw Refused();

        char? Take(string symbols) => at < layout.Length && symbols.Contains(layout[at]) ? layout[at++] : null;

        int? Size()
        {
            int start = at;
            while (at < layout.Length && char.IsAsciiDigit(layout[at]))
            {
                at++;
            }

            return at == start ? null
                : int.TryParse(layout.AsSpan(start, at - start), out int size) && size <= NumberFormat.Most ? size
                : throw rendering.Failed(Throw.Invariant($"format: expected at most {NumberFormat.Most} characters or digits"));
        }

        ChatTemplateException Refused() => rendering.Failed($"format: the layout '{Shortened.Text(layout)}' is not supported for a value of the type {PythonText.TypeName(value)}");
    }

    private string? Converted(NumberFormat field, char kind, object? value) => (kind, value) switch
    {
        (' ' or 's', string text) when field is { Align: not '=', Plus: "", HasCommas: false } => field.Text(rendering, text),
        (' ' or 'd' or 'x' or 'X' or 'o' or 'b', long or BigInteger) when field.Precision is null => field.Integer(rendering, value is long whole ? whole : (BigInteger)value, kind),
        ('e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%', long or BigInteger or double) => field.Float(rendering, Numbers.ToDouble(value), kind),
        (' ', double number) when field is { Precision: null, HasCommas: false } => field.Shortest(rendering, number),
        _ => null,
    };
}
