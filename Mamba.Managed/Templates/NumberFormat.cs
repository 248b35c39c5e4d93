using System.Globalization;
using System.Numerics;

namespace Mamba.Managed.Templates;

/// <summary>How one value is laid out in <c>'%08.2f' % x</c> and <c>'{:>8}'.format(x)</c>.</summary>
internal sealed record NumberFormat
{
    /// <summary>The widest field and the most digits: a format that asks for more is refused.</summary>
    public const int Most = 1_000;

    /// <summary>The character that fills the field.</summary>
    public char Fill { get; init; } = ' ';

    /// <summary>Where the value stands in the field: &lt;, &gt;, ^, or = for behind the sign.</summary>
    public char Align { get; init; } = '>';

    /// <summary>What stands before a number that is not negative: nothing, + or a space.</summary>
    public string Plus { get; init; } = "";

    /// <summary>Whether integers of other bases are marked as such.</summary>
    public bool IsMarked { get; init; }

    /// <summary>The least width of the field in code points.</summary>
    public int Width { get; init; }

    /// <summary>Whether commas stand between thousands.</summary>
    public bool HasCommas { get; init; }

    /// <summary>The digits behind the point, or the most characters of a text.</summary>
    public int? Precision { get; init; }

    /// <summary>A text in its field.</summary>
    public string Text(Rendering rendering, string text)
    {
        string cut = Precision is { } most ? text[..CodePoints.Offset(text, most)] : text;
        return Field(rendering, "", cut);
    }

    /// <summary>An integer in its field, as d, x, X, o or b.</summary>
    public string Integer(Rendering rendering, BigInteger value, char kind)
    {
        BigInteger size = BigInteger.Abs(value);
        string digits = kind switch
        {
            'x' or 'X' => size.ToString("x", CultureInfo.InvariantCulture).TrimStart('0') is { Length: > 0 } hex ? hex : "0",
            'o' => InBase(size, 8),
            'b' => InBase(size, 2),
            _ => size.ToString(CultureInfo.InvariantCulture),
        };
        digits = kind == 'X' ? digits.ToUpperInvariant() : digits;
        string mark = IsMarked && "xXob".Contains(kind) ? $"0{kind}" : "";
        return Field(rendering, Before(value.Sign < 0) + mark, HasCommas ? Grouped(digits) : digits.PadLeft(Precision ?? 0, '0'));
    }

    /// <summary>A float in its field, as f, e, g or %, or their capitals.</summary>
    public string Float(Rendering rendering, double value, char kind)
    {
        int precision = Precision ?? 6;
        double size = Math.Abs(value);
        string digits = char.ToLowerInvariant(kind) switch
        {
            'e' => PythonFloat.Exponential(size, precision),
            'g' => PythonFloat.General(size, precision),
            '%' => PythonFloat.Fixed(size * 100, precision) + "%",
            _ => PythonFloat.Fixed(size, precision),
        };
        digits = char.IsAsciiLetterUpper(kind) ? digits.ToUpperInvariant() : digits;
        int point = digits.IndexOfAny(['.', 'e', '%']);
        digits = HasCommas && double.IsFinite(size) ? Grouped(point < 0 ? digits : digits[..point]) + (point < 0 ? "" : digits[point..]) : digits;
        return Field(rendering, Before(double.IsNegative(value) && !double.IsNaN(value)), digits);
    }

    /// <summary>A float in its field, with as many digits as it takes.</summary>
    public string Shortest(Rendering rendering, double value) =>
        Field(rendering, Before(double.IsNegative(value) && !double.IsNaN(value)), PythonFloat.Repr(Math.Abs(value)));

    private static string Grouped(string digits)
    {
        for (int at = digits.Length - 3; at > 0; at -= 3)
        {
            digits = digits.Insert(at, ",");
        }

        return digits;
    }

    private static string InBase(BigInteger value, int radix)
    {
        string digits = value.IsZero ? "0" : "";
        for (; !value.IsZero; value /= radix)
        {
            digits = (char)('0' + (int)(value % radix)) + digits;
        }

        return digits;
    }

    private string Before(bool isNegative) => isNegative ? "-" : Plus;

    private string Field(Rendering rendering, string before, string text)
    {
        int missing = Width - before.Length - CodePoints.Count(text);
        if (missing <= 0)
        {
            return before + text;
        }

        rendering.RequireText((long)missing + text.Length);
        int first = Align switch { '<' => 0, '^' => missing / 2, _ => missing };
        string left = new(Fill, first), right = new(Fill, missing - first);
        return Align == '=' ? before + left + text : left + before + text + right;
    }
}
