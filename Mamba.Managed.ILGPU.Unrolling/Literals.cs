using System.Globalization;
using Microsoft.CodeAnalysis.CSharp;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Constants written as C#.</summary>
internal static class Literals
{
    /// <summary>An expression of exactly this value and type.</summary>
    public static string Text(object value) => value switch
    {
        bool flag => flag ? "true" : "false",
        int.MinValue => "int.MinValue",
        long.MinValue => "long.MinValue",
        int number => number.ToString(CultureInfo.InvariantCulture),
        uint number => number.ToString(CultureInfo.InvariantCulture) + "u",
        long number => number.ToString(CultureInfo.InvariantCulture) + "L",
        ulong number => number.ToString(CultureInfo.InvariantCulture) + "UL",
        float number => Single(number),
        double number => Double(number),
        string text => SymbolDisplay.FormatLiteral(text, quote: true),
        char character => SymbolDisplay.FormatLiteral(character, quote: true),
        byte number => "(byte)" + number.ToString(CultureInfo.InvariantCulture),
        sbyte number => "(sbyte)" + Small(number),
        short number => "(short)" + Small(number),
        ushort number => "(ushort)" + number.ToString(CultureInfo.InvariantCulture),
        _ => throw new ArgumentException($"No literal for a value of type {value.GetType()}.", nameof(value)),
    };

    private static string Small(int number) => number < 0 ? $"({Text(number)})" : Text(number);

    private static string Single(float number) =>
        float.IsNaN(number) ? "float.NaN"
        : float.IsInfinity(number) ? number > 0 ? "float.PositiveInfinity" : "float.NegativeInfinity"
        : Signed(number.ToString("R", CultureInfo.InvariantCulture), number == 0 && 1 / number < 0) + "f";

    private static string Double(double number) =>
        double.IsNaN(number) ? "double.NaN"
        : double.IsInfinity(number) ? number > 0 ? "double.PositiveInfinity" : "double.NegativeInfinity"
        : Signed(number.ToString("R", CultureInfo.InvariantCulture), number == 0 && 1 / number < 0) + "d";

    /// <summary>.NET Framework drops the sign of minus zero.</summary>
    private static string Signed(string digits, bool minusZero) => minusZero && digits[0] != '-' ? "-" + digits : digits;
}
