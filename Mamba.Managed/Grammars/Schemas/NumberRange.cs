using System.Globalization;

namespace Mamba.Managed.Grammars.Schemas;

/// <summary>Numbers between bounds, by their digits.</summary>
internal static class NumberRange
{
    /// <summary>The largest bound.</summary>
    public const long MostBound = 1_000_000_000_000_000_000;

    private const long MostByDefault = 999_999_999_999_999;

    /// <summary>The integers from one to another, without leading zeros; those of at most 15 digits where a bound is missing.</summary>
    public static Expression Integers(long? least, long? most)
    {
        long low = least ?? (most < -MostByDefault ? -MostBound : -MostByDefault);
        long high = most ?? (least > MostByDefault ? MostBound : MostByDefault);
        List<Expression> parts = [];
        if (low < 0)
        {
            parts.Add(Expression.All(Expression.Text("-"), Naturals(Math.Max(1, -high), -low)));
        }

        parts.Add(Naturals(Math.Max(0, low), high));
        return Expression.Any([.. parts]);
    }

    /// <summary>Decimal numbers between whole bounds, without exponents.</summary>
    /// <param name="least">The lower bound; null for none.</param>
    /// <param name="most">The upper bound; null for none.</param>
    /// <param name="isAbove">Whether the lower bound itself is left out.</param>
    /// <param name="isBelow">Whether the upper bound itself is left out.</param>
    public static Expression Decimals(long? least, long? most, bool isAbove, bool isBelow)
    {
        long low = least ?? (most < -MostByDefault ? -MostBound : -MostByDefault);
        long high = most ?? (least > MostByDefault ? MostBound : MostByDefault);
        List<Expression> parts = [];
        if (low < 0)
        {
            // Zero is written without a sign.
            Expression magnitudes = high < 0 ? Magnitudes(-high, isBelow, -low, isAbove) : Magnitudes(0, true, -low, isAbove);
            parts.Add(Expression.All(Expression.Text("-"), magnitudes));
        }

        parts.Add(low >= 0 ? Magnitudes(low, isAbove, high, isBelow) : Magnitudes(0, false, high, isBelow));
        return Expression.Any([.. parts]);
    }

    private static Choice Magnitudes(long low, bool isAbove, long high, bool isBelow)
    {
        long first = low + (isAbove ? 1 : 0);
        Repeat zeros = new(Expression.Text("0"), 0, JsonText.MostDecimals / 2), rest = new(JsonText.Digit, 0, JsonText.MostDecimals / 2);
        Expression notZero = Expression.All(Expression.Text("."), zeros, JsonText.DigitNotZero, rest);
        return new(
        [
            Naturals(first, high - (isBelow ? 1 : 0)),
            Expression.All(Naturals(first, high - 1), JsonGrammar.Decimals),
            isAbove && low < high ? Expression.All(Naturals(low, low), notZero) : new Choice([]),
        ]);
    }

    private static Choice Naturals(long low, long high)
    {
        List<Expression> parts = [];
        for (long first = 0, end = 10; first <= high; first = end, end = end > long.MaxValue / 10 ? long.MaxValue : end * 10)
        {
            (long from, long to) = (Math.Max(low, first), Math.Min(high, end - 1));
            if (from <= to)
            {
                parts.Add(Between(from.ToString(CultureInfo.InvariantCulture), to.ToString(CultureInfo.InvariantCulture)));
            }
        }

        return new(parts);
    }

    // Both of the same length.
    private static Expression Between(string low, string high)
    {
        if (low.Length == 0)
        {
            return Expression.Empty;
        }

        if (low.AsSpan().IndexOfAnyExcept('0') < 0 && high.AsSpan().IndexOfAnyExcept('9') < 0)
        {
            return new Repeat(JsonText.Digit, low.Length, low.Length);
        }

        if (low[0] == high[0])
        {
            return Expression.All(Expression.Text(low[..1]), Between(low[1..], high[1..]));
        }

        string zeros = new('0', low.Length - 1), nines = new('9', low.Length - 1);
        return Expression.Any(
            Expression.All(Expression.Text(low[..1]), Between(low[1..], nines)),
            Digits((char)(low[0] + 1), (char)(high[0] - 1), low.Length - 1),
            Expression.All(Expression.Text(high[..1]), Between(zeros, high[1..])));
    }

    private static Expression Digits(char first, char last, int others) => first > last
        ? new Choice([])
        : Expression.All(new Characters(CodePointSet.Of(new CodePointRange(first, last))), new Repeat(JsonText.Digit, others, others));
}
