using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>
/// Arithmetic of constants as C# does it at run time: unchecked, each operation in the type to which its operands are promoted. Constants are
/// boxed values of C#'s own types. Results are null where nothing can be said.
/// </summary>
internal static class Folding
{
    /// <summary>The result of a binary operator.</summary>
    /// <param name="kind">The kind of the binary expression.</param>
    /// <exception cref="DivideByZeroException">The divisor is an integer zero.</exception>
    public static object? Binary(SyntaxKind kind, object left, object right)
    {
        if (left is string || right is string)
        {
            return Strings(kind, left, right);
        }

        if (left is bool a && right is bool b)
        {
            return Booleans(kind, a, b);
        }

        if (!IsNumber(left) || !IsNumber(right))
        {
            return null;
        }

        if (kind is SyntaxKind.LeftShiftExpression or SyntaxKind.RightShiftExpression or SyntaxKind.UnsignedRightShiftExpression)
        {
            return right is long or ulong or uint or float or double ? null : Shift(kind, left, (int)Convert(right, SpecialType.System_Int32)!);
        }

        SpecialType type = Promoted(left, right);
        object x = Convert(left, type)!;
        object y = Convert(right, type)!;
        return type switch
        {
            SpecialType.System_Double => Doubles(kind, (double)x, (double)y),
            SpecialType.System_Single => Singles(kind, (float)x, (float)y),
            SpecialType.System_UInt64 => Unsigned(kind, (ulong)x, (ulong)y),
            _ => Integers(kind, ToInt64(x), ToInt64(y)) is { } result ? result is bool ? result : Convert(result, type) : null,
        };
    }

    /// <summary>The result of a prefix operator: + - ~ and !.</summary>
    public static object? Unary(SyntaxKind kind, object operand) => (kind, Widened(operand)) switch
    {
        (SyntaxKind.LogicalNotExpression, bool value) => !value,
        (SyntaxKind.UnaryPlusExpression, int or uint or long or ulong or float or double) => Widened(operand),
        (SyntaxKind.UnaryMinusExpression, int value) => unchecked(-value),
        (SyntaxKind.UnaryMinusExpression, uint value) => -(long)value,
        (SyntaxKind.UnaryMinusExpression, long value) => unchecked(-value),
        (SyntaxKind.UnaryMinusExpression, float value) => -value,
        (SyntaxKind.UnaryMinusExpression, double value) => -value,
        (SyntaxKind.BitwiseNotExpression, int value) => ~value,
        (SyntaxKind.BitwiseNotExpression, uint value) => ~value,
        (SyntaxKind.BitwiseNotExpression, long value) => ~value,
        (SyntaxKind.BitwiseNotExpression, ulong value) => ~value,
        _ => null,
    };

    /// <summary>The larger or smaller of two integers, as Math.Max and Math.Min give it.</summary>
    public static object? Extreme(bool largest, object left, object right)
    {
        if (!IsNumber(left) || !IsNumber(right) || Promoted(left, right) is SpecialType.System_Single or SpecialType.System_Double)
        {
            return null;
        }

        bool leftLess = Binary(SyntaxKind.LessThanExpression, left, right) is true;
        return Convert(leftLess == largest ? right : left, Promoted(left, right));
    }

    /// <summary>The value cast to a simple type, or null if there is no such conversion.</summary>
    public static object? Convert(object value, SpecialType type) => value switch
    {
        bool when type == SpecialType.System_Boolean => value,
        string when type == SpecialType.System_String => value,
        float number => FromDouble(number, type),
        double number => FromDouble(number, type),
        ulong number => FromUnsigned(number, type),
        _ when IsNumber(value) => FromInteger(ToInt64(value), type),
        _ => null,
    };

    /// <summary>Whether constants of this value can be written out and computed with.</summary>
    public static bool IsKnown(object? value) => value is bool or string || (value is not null && IsNumber(value));

    /// <summary>Whether a constant is this integer.</summary>
    public static bool IsInteger(object? value, int number) => value is int or uint or long or ulong && ToInt64Unchecked(value) == number;

    private static long ToInt64Unchecked(object value) => value is ulong number ? unchecked((long)number) : ToInt64(value);

    private static bool IsNumber(object value) =>
        value is int or uint or long or ulong or float or double or byte or sbyte or short or ushort or char;

    private static object Widened(object value) => value is byte or sbyte or short or ushort or char ? (int)ToInt64(value) : value;

    private static long ToInt64(object value) => value is char c ? c : System.Convert.ToInt64(value, CultureInfo.InvariantCulture);

    private static SpecialType Promoted(object left, object right)
    {
        object a = Widened(left);
        object b = Widened(right);
        return a is double || b is double ? SpecialType.System_Double
            : a is float || b is float ? SpecialType.System_Single
            : a is ulong || b is ulong ? SpecialType.System_UInt64
            : a is long || b is long || a is uint != b is uint ? SpecialType.System_Int64
            : a is uint ? SpecialType.System_UInt32
            : SpecialType.System_Int32;
    }

    private static object? Strings(SyntaxKind kind, object left, object right) => kind switch
    {
        SyntaxKind.AddExpression when left is not float and not double && right is not float and not double =>
            string.Concat(System.Convert.ToString(left, CultureInfo.InvariantCulture), System.Convert.ToString(right, CultureInfo.InvariantCulture)),
        SyntaxKind.EqualsExpression => Equals(left, right),
        SyntaxKind.NotEqualsExpression => !Equals(left, right),
        _ => null,
    };

    private static object? Booleans(SyntaxKind kind, bool a, bool b) => kind switch
    {
        SyntaxKind.LogicalAndExpression or SyntaxKind.BitwiseAndExpression => a && b,
        SyntaxKind.LogicalOrExpression or SyntaxKind.BitwiseOrExpression => a || b,
        SyntaxKind.ExclusiveOrExpression or SyntaxKind.NotEqualsExpression => a != b,
        SyntaxKind.EqualsExpression => a == b,
        _ => null,
    };

    private static object? Shift(SyntaxKind kind, object left, int count) => (kind, Widened(left)) switch
    {
        (SyntaxKind.LeftShiftExpression, int value) => value << count,
        (SyntaxKind.LeftShiftExpression, uint value) => value << count,
        (SyntaxKind.LeftShiftExpression, long value) => value << count,
        (SyntaxKind.LeftShiftExpression, ulong value) => value << count,
        (SyntaxKind.RightShiftExpression, int value) => value >> count,
        (_, uint value) => value >> count,
        (SyntaxKind.RightShiftExpression, long value) => value >> count,
        (_, ulong value) => value >> count,
        (_, int value) => value >>> count,
        (_, long value) => value >>> count,
        _ => null,
    };

    private static object? Integers(SyntaxKind kind, long a, long b) => unchecked(kind switch
    {
        SyntaxKind.AddExpression => a + b,
        SyntaxKind.SubtractExpression => a - b,
        SyntaxKind.MultiplyExpression => a * b,
        SyntaxKind.DivideExpression => b == -1 ? -a : a / b,
        SyntaxKind.ModuloExpression => b == -1 ? 0L : a % b,
        SyntaxKind.BitwiseAndExpression => a & b,
        SyntaxKind.BitwiseOrExpression => a | b,
        SyntaxKind.ExclusiveOrExpression => a ^ b,
        _ => (object?)Comparison(kind, a.CompareTo(b)),
    });

    private static object? Unsigned(SyntaxKind kind, ulong a, ulong b) => unchecked(kind switch
    {
        SyntaxKind.AddExpression => a + b,
        SyntaxKind.SubtractExpression => a - b,
        SyntaxKind.MultiplyExpression => a * b,
        SyntaxKind.DivideExpression => a / b,
        SyntaxKind.ModuloExpression => a % b,
        SyntaxKind.BitwiseAndExpression => a & b,
        SyntaxKind.BitwiseOrExpression => a | b,
        SyntaxKind.ExclusiveOrExpression => a ^ b,
        _ => (object?)Comparison(kind, a.CompareTo(b)),
    });

    private static bool? Comparison(SyntaxKind kind, int order) => kind switch
    {
        SyntaxKind.LessThanExpression => order < 0,
        SyntaxKind.LessThanOrEqualExpression => order <= 0,
        SyntaxKind.GreaterThanExpression => order > 0,
        SyntaxKind.GreaterThanOrEqualExpression => order >= 0,
        SyntaxKind.EqualsExpression => order == 0,
        SyntaxKind.NotEqualsExpression => order != 0,
        _ => null,
    };

    private static object? Singles(SyntaxKind kind, float a, float b) => kind switch
    {
        SyntaxKind.AddExpression => a + b,
        SyntaxKind.SubtractExpression => a - b,
        SyntaxKind.MultiplyExpression => a * b,
        SyntaxKind.DivideExpression => a / b,
        SyntaxKind.ModuloExpression => a % b,
        _ => Doubles(kind, a, b),
    };

    private static object? Doubles(SyntaxKind kind, double a, double b) => kind switch
    {
        SyntaxKind.AddExpression => a + b,
        SyntaxKind.SubtractExpression => a - b,
        SyntaxKind.MultiplyExpression => a * b,
        SyntaxKind.DivideExpression => a / b,
        SyntaxKind.ModuloExpression => a % b,
        SyntaxKind.LessThanExpression => a < b,
        SyntaxKind.LessThanOrEqualExpression => a <= b,
        SyntaxKind.GreaterThanExpression => a > b,
        SyntaxKind.GreaterThanOrEqualExpression => a >= b,
        SyntaxKind.EqualsExpression => a == b,
        SyntaxKind.NotEqualsExpression => a != b,
        _ => null,
    };

    private static object? FromInteger(long value, SpecialType type) => unchecked(type switch
    {
        SpecialType.System_Int32 => (int)value,
        SpecialType.System_UInt32 => (uint)value,
        SpecialType.System_Int64 => value,
        SpecialType.System_UInt64 => (ulong)value,
        SpecialType.System_Single => (float)value,
        SpecialType.System_Double => (double)value,
        SpecialType.System_Byte => (byte)value,
        SpecialType.System_SByte => (sbyte)value,
        SpecialType.System_Int16 => (short)value,
        SpecialType.System_UInt16 => (ushort)value,
        SpecialType.System_Char => (char)value,
        _ => (object?)null,
    });

    private static object? FromUnsigned(ulong value, SpecialType type) => type switch
    {
        SpecialType.System_Single => (float)value,
        SpecialType.System_Double => (double)value,
        _ => FromInteger(unchecked((long)value), type),
    };

    private static object? FromDouble(double value, SpecialType type) => unchecked(type switch
    {
        SpecialType.System_Single => (float)value,
        SpecialType.System_Double => value,
        SpecialType.System_UInt64 => (ulong)value,
        _ => FromInteger((long)value, type),
    });
}
