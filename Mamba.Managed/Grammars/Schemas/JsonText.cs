using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Mamba.Managed.Grammars.Schemas;

/// <summary>The parts of JSON's notation as expressions.</summary>
internal static class JsonText
{
    /// <summary>The digits before the decimal point, of which float64 holds every value exactly.</summary>
    public const int MostDigits = 15;

    /// <summary>The digits after the decimal point.</summary>
    public const int MostDecimals = 15;

    private const string HexDigits = "0123456789abcdefABCDEF";
    private static readonly CodePointSet Plain = CodePointSet.Of(new CodePointRange(0x20, 0x10FFFF)).Except(CodePointSet.OfCharacters("\"\\"));
    private static readonly (char Character, char Escape)[] Escapes =
        [('"', '"'), ('\\', '\\'), ('\b', 'b'), ('\f', 'f'), ('\n', 'n'), ('\r', 'r'), ('\t', 't')];

    private static readonly Characters Hex = new(CodePointSet.OfCharacters(HexDigits));

    /// <summary>A digit.</summary>
    public static Expression Digit { get; } = new Characters(CodePointSet.Of(new CodePointRange('0', '9')));

    /// <summary>A digit but zero.</summary>
    public static Expression DigitNotZero { get; } = new Characters(CodePointSet.Of(new CodePointRange('1', '9')));

    /// <summary>Any character of a string, as it is or escaped; a pair of escapes for the characters beyond U+FFFF.</summary>
    public static Expression AnyCharacter { get; } = Expression.Any(
        new Characters(Plain),
        Expression.All(Expression.Text("\\"), Expression.Any(
            new Characters(CodePointSet.OfCharacters("\"\\/bfnrt")),
            Expression.All(Expression.Text("u"), Expression.Any(
                Expression.All(new Characters(CodePointSet.OfCharacters("0123456789abcefABCEF")), Hex, Hex, Hex),
                Expression.All(OneOf("dD"), OneOf("01234567"), Hex, Hex),
                Expression.All(OneOf("dD"), OneOf("89abAB"), Hex, Hex, Expression.Text("\\u"), OneOf("dD"), OneOf("cdefCDEF"), Hex, Hex))))));

    /// <summary>White space where a line may be broken: nothing, a space, or a new line and at most 20 spaces or tabs.</summary>
    public static Expression Space { get; } = Expression.Optional(Expression.Any(
        Expression.Text(" "), Expression.All(Expression.Text("\n"), new Repeat(OneOf(" \t"), 0, 20))));

    /// <summary>A character of a set, in its shortest notation within a string.</summary>
    public static Expression Character(CodePointSet set)
    {
        List<Expression> notations = [new Characters(set.And(Plain))];
        foreach ((char character, char escape) in Escapes)
        {
            if (!set.And(CodePointSet.OfCharacters(character.ToString())).IsEmpty)
            {
                notations.Add(Expression.Text($"\\{escape}"));
            }
        }

        foreach ((int first, int last) in set.And(CodePointSet.Of(new CodePointRange(0, 0x1F))).Ranges)
        {
            for (int code = first; code <= last; code++)
            {
                if (!Escapes.Any(pair => pair.Character == code))
                {
                    notations.Add(Expression.Text("\\u" + code.ToString("x4", CultureInfo.InvariantCulture)));
                }
            }
        }

        return Expression.Any([.. notations]);
    }

    /// <summary>A text as a string, with what must be escaped.</summary>
    public static string Quote(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (char character in text)
        {
            int escape = Array.FindIndex(Escapes, pair => pair.Character == character);
            _ = escape >= 0 ? quoted.Append('\\').Append(Escapes[escape].Escape)
                : character < ' ' ? quoted.Append("\\u").Append(((int)character).ToString("x4", CultureInfo.InvariantCulture))
                : quoted.Append(character);
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>A value in its shortest notation.</summary>
    /// <exception cref="InvalidDataException">It is nested too deep.</exception>
    public static string Compact(JsonElement value, string path, int depth = 0)
    {
        Throw.Unless(depth <= SchemaKeywords.MostDepth, $"{path}: expected values nested to a depth of at most {SchemaKeywords.MostDepth}, found a deeper one");
        return value.ValueKind switch
        {
            JsonValueKind.String => Quote(value.GetString()!),
            JsonValueKind.Array => $"[{string.Join(',', value.EnumerateArray().Select(item => Compact(item, path, depth + 1)))}]",
            JsonValueKind.Object => $"{{{string.Join(',', value.EnumerateObject().Select(member => $"{Quote(member.Name)}:{Compact(member.Value, path, depth + 1)}"))}}}",
            _ => value.GetRawText(),
        };
    }

    private static Characters OneOf(string characters) => new(CodePointSet.OfCharacters(characters));
}
