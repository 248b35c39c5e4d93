using System.Numerics;

namespace Mamba.Managed.Templates;

/// <summary>Numbers as Python has them: true is 1, integers and floats compare by their exact values.</summary>
internal static class Numbers
{
    /// <summary>Whether a value is a number; booleans are.</summary>
    public static bool Is(object? value) => value is bool or long or double or BigInteger;

    /// <summary>Whether a value is an integer of 64 bits or a boolean.</summary>
    public static bool IsInteger(object? value) => value is bool or long;

    /// <summary>The integer of a boolean or a long.</summary>
    public static long ToLong(object value) => value is bool flag ? (flag ? 1 : 0) : (long)value;

    /// <summary>The float nearest to a number.</summary>
    public static double ToDouble(object value) => value switch
    {
        double number => number,
        BigInteger number => (double)number,
        _ => ToLong(value),
    };

    /// <summary>Which of two numbers is greater; null where one is not a number (NaN).</summary>
    public static int? Compare(object left, object right)
    {
        if (IsInteger(left) && IsInteger(right))
        {
            return ToLong(left).CompareTo(ToLong(right));
        }

        if (left is not double && right is not double)
        {
            return ToBig(left).CompareTo(ToBig(right));
        }

        double a = ToDouble(left), b = ToDouble(right);
        if (double.IsNaN(a) || double.IsNaN(b))
        {
            return null;
        }

        // Where an integer was rounded to the float, its exact value decides.
        return a != b || !double.IsFinite(a) || (left is double && right is double) ? a.CompareTo(b) : Exact(left).CompareTo(Exact(right));
    }

    private static BigInteger Exact(object value) => value is double number ? new BigInteger(number) : ToBig(value);

    private static BigInteger ToBig(object value) => value is BigInteger big ? big : ToLong(value);
}
