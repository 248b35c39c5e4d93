using System.Globalization;
using System.Text;

namespace Mamba.Managed.Templates;

/// <summary>Numbers and texts as templates write them, which is as Python does.</summary>
internal static class TemplateLiterals
{
    /// <summary>The end of the number that begins at an offset, and its value: a long or a double.</summary>
    public static int EndOfNumber(TemplateText source, int start, out object value)
    {
        string text = source.Text;
        int end = EndOfDigits(text, start);
        bool isFloat = false;
        if (text[start] == '0' && end == start + 1 && end < text.Length && char.ToLowerInvariant(text[end]) is 'x' or 'o' or 'b')
        {
            throw source.Refused(start, "numbers of base 2, 8 or 16 are not supported; write the number in base 10");
        }

        bool followsDot = start > 0 && text[start - 1] == '.';
        if (!followsDot && end + 1 < text.Length && text[end] == '.' && char.IsAsciiDigit(text[end + 1]))
        {
            (end, isFloat) = (EndOfDigits(text, end + 1), true);
        }

        if (!followsDot && end < text.Length && text[end] is 'e' or 'E')
        {
            int digits = end + 1 < text.Length && text[end + 1] is '+' or '-' ? end + 2 : end + 1;
            if (digits < text.Length && char.IsAsciiDigit(text[digits]))
            {
                (end, isFloat) = (EndOfDigits(text, digits), true);
            }
        }

        string number = text[start..end].Replace("_", "", StringComparison.Ordinal);
        value = isFloat ? (object)double.Parse(number, CultureInfo.InvariantCulture)
            : long.TryParse(number, CultureInfo.InvariantCulture, out long whole) ? whole
            : throw source.Refused(start, $"expected an integer of 64 bits, found {Shortened.Text(number)}");
        return end;
    }

    /// <summary>The offset behind the closing quote of the text that begins at an offset.</summary>
    public static int EndOfText(TemplateText source, int start)
    {
        string text = source.Text;
        for (int at = start + 1; at < text.Length; at++)
        {
            if (text[at] == text[start])
            {
                return at + 1;
            }

            at += text[at] == '\\' ? 1 : 0;
        }

        throw source.Refused(start, "expected a quote that ends the text, found the end of the template");
    }

    /// <summary>The text between two quotes with its escapes replaced.</summary>
    public static string Unescape(TemplateText source, int start, int end)
    {
        string body = source.Text[(start + 1)..(end - 1)];
        if (!body.Contains('\\'))
        {
            return body;
        }

        StringBuilder result = new(body.Length);
        for (int at = 0; at < body.Length; at++)
        {
            if (body[at] != '\\')
            {
                result.Append(body[at]);
                continue;
            }

            at++;
            int digits = body[at] switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
            if (digits > 0)
            {
                result.Append(CodePoint(source, start, at + 1 + digits <= body.Length ? body.Substring(at + 1, digits) : ""));
                at += digits;
            }
            else if (body[at] is >= '0' and <= '7')
            {
                int value = 0, first = at;
                for (; at < body.Length && at < first + 3 && body[at] is >= '0' and <= '7'; at++)
                {
                    value = (value * 8) + body[at] - '0';
                }

                at--;
                result.Append((char)value);
            }
            else
            {
                result.Append(Simple(source, start, body[at]));
            }
        }

        return result.ToString();
    }

    private static string Simple(TemplateText source, int start, char escape) => escape switch
    {
        'n' => "\n",
        't' => "\t",
        'r' => "\r",
        'a' => "\a",
        'b' => "\b",
        'f' => "\f",
        'v' => "\v",
        '\n' => "",
        '\\' or '\'' or '"' => escape.ToString(),
        'N' => throw source.Refused(start, "the escape \\N{name} is not supported; write \\u and the code"),
        _ => $"\\{escape}",
    };

    private static string CodePoint(TemplateText source, int start, string digits) =>
        int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code) && code is >= 0 and <= 0x10FFFF
            ? code > 0xFFFF ? char.ConvertFromUtf32(code) : ((char)code).ToString()
            : throw source.Refused(start, "expected hexadecimal digits of a character behind \\x, \\u or \\U");

    private static int EndOfDigits(string text, int at)
    {
        while (at < text.Length && (char.IsAsciiDigit(text[at]) || (text[at] == '_' && at + 1 < text.Length && char.IsAsciiDigit(text[at + 1]))))
        {
            at++;
        }

        return at;
    }
}
