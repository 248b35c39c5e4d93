using System.Globalization;
using System.Numerics;

namespace Mamba.Managed.Templates;

/// <summary>Filters that give numbers.</summary>
internal static class NumberFilters
{
    /// <summary>The size of a number.</summary>
    public static object? Abs(Rendering rendering, object? value, Arguments arguments)
    {
        _ = arguments.Bind(rendering, 0);
        return value switch
        {
            double number => (object)Math.Abs(number),
            bool or long => Numbers.ToLong(value) is var whole && whole < 0 ? Arithmetic.Negate(rendering, whole) : whole,
            _ => throw rendering.Unfit("abs: expected a number", value),
        };
    }

    /// <summary>A float of a number or a text; a default where it is none.</summary>
    public static object? Float(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "default");
        RequireDefined(rendering, value);
        return Numbers.Is(value) ? Numbers.ToDouble(value!)
            : value is string text && TryFloat(text, out double number) ? number
            : bound.Has(0) ? bound[0] : 0.0;
    }

    /// <summary>An integer of a number or a text, cut at the point; a default where it is none.</summary>
    public static object? Int(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "default", "base");
        RequireDefined(rendering, value);
        object? fallback = bound.Has(0) ? bound[0] : 0L;
        if (bound.Integer(1, 10) != 10)
        {
            throw rendering.Failed("int: only the base 10 is supported");
        }

        return value switch
        {
            bool or long => (object)Numbers.ToLong(value),
            BigInteger => value,
            double number => Cut(rendering, number, fallback),
            string text when TryInteger(text, out BigInteger whole) => Narrow(rendering, whole),
            string text when TryFloat(text, out double number) => Cut(rendering, number, fallback),
            _ => fallback,
        };
    }

    /// <summary>A number rounded at a digit.</summary>
    public static object? Round(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "precision", "method");
        int precision = (int)Math.Clamp(bound.Integer(0, 0), -NumberFormat.Most, NumberFormat.Most);
        string method = bound.Text(1, "common");
        if (!Numbers.Is(value) || value is BigInteger)
        {
            throw rendering.Unfit("round: expected a number", value);
        }

        switch (method)
        {
            case "common" when value is double number:
                return PythonFloat.Round(number, precision);
            case "common":
                return precision >= 0 ? Numbers.ToLong(value!) : Narrow(rendering, new BigInteger(PythonFloat.Round(Numbers.ToDouble(value!), precision)));
            case "ceil" or "floor":
                double scale = Math.Pow(10, precision), scaled = Numbers.ToDouble(value!) * scale;
                double whole = method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled);
                return double.IsFinite(whole) ? (whole == 0 ? 0.0 : whole) / scale : throw rendering.Failed("round: the result is not finite");
            default:
                throw rendering.Failed("round: expected 'common', 'ceil' or 'floor' as the method");
        }
    }

    /// <summary>The sum of numbers.</summary>
    public static object? Sum(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "attribute", "start");
        object? sum = bound.Has(1) ? bound[1] : 0L;
        if (sum is string)
        {
            throw rendering.Failed("sum: texts are joined with 'join'");
        }

        foreach (object? item in Iteration.Of(rendering, value))
        {
            sum = Arithmetic.Of(rendering, "+", sum, bound[0] is null ? item : AttributePath.Of(rendering, bound[0]).Find(rendering, item));
        }

        return sum;
    }

    /// <summary>Whether a text is an integer as Python reads it.</summary>
    public static bool TryInteger(string text, out BigInteger value)
    {
        const int MostDigits = 4_300;
        value = default;
        string trimmed = TextEdges.Strip(text, null, true, true);
        return trimmed.Length <= MostDigits && IsGrouped(trimmed)
            && BigInteger.TryParse(trimmed.Replace("_", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    private static bool TryFloat(string text, out double value)
    {
        string trimmed = TextEdges.Strip(text, null, true, true);
        string name = trimmed.TrimStart('+', '-').ToLowerInvariant();
        if (name is "nan" or "inf" or "infinity" && trimmed.Length - name.Length <= 1)
        {
            value = name == "nan" ? double.NaN : trimmed[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }

        value = 0;
        return IsGrouped(trimmed) && name.All(character => char.IsAsciiDigit(character) || "._e+-".Contains(character))
            && double.TryParse(trimmed.Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    // An underscore stands between two digits.
    private static bool IsGrouped(string text)
    {
        for (int at = 0; at < text.Length; at++)
        {
            if (text[at] == '_' && (at == 0 || at + 1 == text.Length || !char.IsAsciiDigit(text[at - 1]) || !char.IsAsciiDigit(text[at + 1])))
            {
                return false;
            }
        }

        return true;
    }

    private static object? Cut(Rendering rendering, double number, object? fallback) => double.IsFinite(number) ? Narrow(rendering, new BigInteger(Math.Truncate(number))) : fallback;

    private static long Narrow(Rendering rendering, BigInteger value) =>
        value >= long.MinValue && value <= long.MaxValue ? (long)value : throw rendering.Failed("the result does not fit an integer of 64 bits");

    private static void RequireDefined(Rendering rendering, object? value)
    {
        if (value is Undefined)
        {
            throw rendering.Unfit("", value);
        }
    }
}
