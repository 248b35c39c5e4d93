using System.Globalization;
using System.Text;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>The characters of an expression, the place that has been read up to, and errors that name both.</summary>
internal sealed class RegexReader
{
    private const int LongestPattern = 1 << 16;

    private readonly int[] points;

    public RegexReader(string pattern)
    {
        Throw.Unless(pattern.Length <= LongestPattern, $"expected an expression of at most {LongestPattern} characters, found {pattern.Length}");
        points = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];
    }

    public int At { get; set; }

    public bool IsEnd => At >= points.Length;

    /// <summary>The next character, or -1 at the end.</summary>
    public int Peek(int ahead = 0) => At + ahead < points.Length ? points[At + ahead] : -1;

    public int Next() => IsEnd ? throw Unsupported("expected more after it, found its end") : points[At++];

    public bool Take(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (Peek(i) != text[i])
            {
                return false;
            }
        }

        At += text.Length;
        return true;
    }

    /// <summary>The text up to a character, which is passed over too.</summary>
    public string Until(char end)
    {
        StringBuilder text = new();
        while (Next() is int point && point != end)
        {
            text.Append(new Rune(point));
        }

        return text.ToString();
    }

    /// <summary>A number in hexadecimal or octal digits, as many as there are up to a limit.</summary>
    public int Number(int radix, int least, int most)
    {
        int value = 0, digits = 0;
        for (; digits < most && Digit(Peek()) is int digit and >= 0 && digit < radix; digits++, At++)
        {
            value = (value * radix) + digit;
        }

        return digits >= least && Rune.IsValid(value) ? value : throw Unsupported("expected the number of a character");
    }

    /// <summary>A decimal number, or -1 where there is none.</summary>
    public int Decimal()
    {
        int start = At;
        long value = 0;
        for (; Peek() is >= '0' and <= '9'; At++)
        {
            value = Math.Min((value * 10) + Peek() - '0', int.MaxValue);
        }

        return At == start ? -1 : (int)value;
    }

    /// <summary>The error for what is not supported or not an expression.</summary>
    public InvalidDataException Unsupported(string problem)
    {
        string excerpt = string.Concat(points.Skip(Math.Max(0, At - 12)).Take(24).Select(char.ConvertFromUtf32));
        return new(string.Create(CultureInfo.InvariantCulture, $"regular expression: {problem}, at character {At} near '{excerpt}'"));
    }

    private static int Digit(int point) => point switch
    {
        >= '0' and <= '9' => point - '0',
        >= 'a' and <= 'f' => point - 'a' + 10,
        >= 'A' and <= 'F' => point - 'A' + 10,
        _ => -1,
    };
}
