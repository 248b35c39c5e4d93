using System.Globalization;
using System.Numerics;

namespace Mamba.Managed.Templates;

/// <summary>Floats in decimal, as Python writes and rounds them: from the exact value, a tie to the even digit.</summary>
internal static class PythonFloat
{
    /// <summary>The shortest text that is read back to the same float.</summary>
    public static string Repr(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        (string digits, int exponent) = Shortest(Math.Abs(value));
        const int LeastPlain = -4, LeastScientific = 16;
        string sign = double.IsNegative(value) ? "-" : "";
        return sign + (exponent is < LeastPlain or >= LeastScientific ? Scientific(digits, exponent) : Plain(digits, exponent, 1));
    }

    /// <summary>A float with a number of digits behind the point.</summary>
    public static string Fixed(double value, int precision)
    {
        if (!double.IsFinite(value))
        {
            return Repr(value);
        }

        string digits = Scaled(Math.Abs(value), precision).ToString(CultureInfo.InvariantCulture).PadLeft(precision + 1, '0');
        string sign = double.IsNegative(value) ? "-" : "";
        return precision == 0 ? sign + digits : $"{sign}{digits[..^precision]}.{digits[^precision..]}";
    }

    /// <summary>A float with one digit before the point, a number of them behind it, and an exponent.</summary>
    public static string Exponential(double value, int precision)
    {
        if (!double.IsFinite(value))
        {
            return Repr(value);
        }

        (string digits, int exponent) = Rounded(Math.Abs(value), precision + 1);
        return (double.IsNegative(value) ? "-" : "") + Scientific(digits, exponent, keepsZeros: true);
    }

    /// <summary>A float with a number of digits in all, without zeros at the end: plain, or with an exponent where it is very small or large.</summary>
    public static string General(double value, int precision)
    {
        if (!double.IsFinite(value))
        {
            return Repr(value);
        }

        precision = Math.Max(precision, 1);
        (string digits, int exponent) = Rounded(Math.Abs(value), precision);
        digits = digits.TrimEnd('0') is { Length: > 0 } kept ? kept : "0";
        return (double.IsNegative(value) ? "-" : "") + (exponent < -4 || exponent >= precision ? Scientific(digits, exponent) : Plain(digits, exponent, 0));
    }

    /// <summary>The float nearest to a float rounded at a digit: behind the point for a positive precision, before it for a negative one.</summary>
    public static double Round(double value, int precision)
    {
        const int MostDigits = 330;
        if (!double.IsFinite(value) || precision > MostDigits)
        {
            return value;
        }

        if (precision < -MostDigits)
        {
            return Math.CopySign(0, value);
        }

        string digits = Throw.Invariant($"{Scaled(Math.Abs(value), precision)}e{-precision}");
        return Math.CopySign(double.Parse(digits, CultureInfo.InvariantCulture), value);
    }

    private static (string Digits, int Exponent) Shortest(double value)
    {
        if (value == 0)
        {
            return ("0", 0);
        }

        string text = value.ToString("R", CultureInfo.InvariantCulture);
        int mark = text.IndexOf('E'), exponent = mark < 0 ? 0 : int.Parse(text.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string number = mark < 0 ? text : text[..mark];
        int point = number.IndexOf('.');
        exponent += (point < 0 ? number.Length : point) - 1;
        string digits = number.Replace(".", "", StringComparison.Ordinal);
        int zeros = digits.Length - digits.TrimStart('0').Length;
        return (digits[zeros..].TrimEnd('0'), exponent - zeros);
    }

    // The exact value is taken, since rounding twice would go wrong at ties.
    private static (string Digits, int Exponent) Rounded(double value, int count)
    {
        if (value == 0)
        {
            return (new string('0', count), 0);
        }

        int exponent = Shortest(value).Exponent;
        string digits = Scaled(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
        return digits.Length > count ? (digits[..count], exponent + 1) : (digits, exponent);
    }

    // value * 10^precision, rounded to an integer, ties to even.
    private static BigInteger Scaled(double value, int precision)
    {
        const int MantissaBits = 52, Bias = 1075;
        long bits = BitConverter.DoubleToInt64Bits(value);
        int biased = (int)(bits >> MantissaBits);
        BigInteger mantissa = (bits & ((1L << MantissaBits) - 1)) | (biased == 0 ? 0 : 1L << MantissaBits);
        int exponent = Math.Max(biased, 1) - Bias;
        BigInteger over = (exponent > 0 ? mantissa << exponent : mantissa) * BigInteger.Pow(10, Math.Max(precision, 0));
        BigInteger under = (exponent < 0 ? BigInteger.One << -exponent : BigInteger.One) * BigInteger.Pow(10, Math.Max(-precision, 0));
        BigInteger whole = BigInteger.DivRem(over, under, out BigInteger rest);
        int half = (rest * 2).CompareTo(under);
        return half > 0 || (half == 0 && !whole.IsEven) ? whole + 1 : whole;
    }

    private static string Plain(string digits, int exponent, int leastBehind)
    {
        string whole = exponent < 0 ? "0" : digits.PadRight(exponent + 1, '0')[..(exponent + 1)];
        string behind = exponent < 0 ? new string('0', -exponent - 1) + digits : digits.Length > exponent + 1 ? digits[(exponent + 1)..] : "";
        behind = behind.PadRight(leastBehind, '0');
        return behind.Length == 0 ? whole : $"{whole}.{behind}";
    }

    private static string Scientific(string digits, int exponent, bool keepsZeros = false)
    {
        string kept = keepsZeros || digits.TrimEnd('0').Length == 0 ? digits : digits.TrimEnd('0');
        string mantissa = kept.Length > 1 ? $"{kept[0]}.{kept[1..]}" : kept;
        return Throw.Invariant($"{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
    }
}
