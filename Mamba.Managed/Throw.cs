using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Mamba.Managed;

/// <summary>Where every argument error is made, so that kernels stay small and each message says what was expected and what was found.</summary>
internal static class Throw
{
    /// <summary>Throws unless a buffer has exactly the length that the shapes of the other arguments ask for.</summary>
    public static void UnlessLength(long expected, long found, [CallerArgumentExpression(nameof(found))] string? argument = null)
    {
        if (expected != found)
        {
            // The expression is as a rule the length of an argument, and the argument is what to name.
            Length(expected, found, argument?.Split('.')[0]);
        }
    }

    [DoesNotReturn]
    public static void Length(long expected, long found, string? argument) =>
        throw new ArgumentException(Invariant($"expected {expected} elements, found {found}; give a buffer that matches the other shapes"), argument);

    [DoesNotReturn]
    public static void Argument(string message, string? argument) => throw new ArgumentException(message, argument);

    [DoesNotReturn]
    public static T Argument<T>(string message, string? argument) => throw new ArgumentException(message, argument);

    /// <summary>Throws what a file that is wrong gets; the text is only made when it is needed.</summary>
    /// <exception cref="InvalidDataException"><paramref name="condition"/> does not hold.</exception>
    public static void Unless([DoesNotReturnIf(false)] bool condition, [InterpolatedStringHandlerArgument(nameof(condition))] ref Problem problem)
    {
        if (!condition)
        {
            throw new InvalidDataException(problem.ToStringAndClear());
        }
    }

    /// <summary>Throws unless the value of an option is right.</summary>
    /// <exception cref="ArgumentException">It is not; the message names the option, the values that are, and the one found.</exception>
    public static void UnlessOption<T>(bool isRight, string name, string expected, T found)
    {
        if (!isRight)
        {
            Argument(Invariant($"{name}: expected {expected}, found {found}"), name);
        }
    }

    public static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>The text of an error, empty where there is none: thousands of tokens are checked and none is wrong.</summary>
    [InterpolatedStringHandler]
    internal ref struct Problem
    {
        private DefaultInterpolatedStringHandler text;

        public Problem(int literalLength, int formattedCount, bool condition, out bool isOne)
        {
            isOne = !condition;
            text = isOne ? new(literalLength, formattedCount, CultureInfo.InvariantCulture) : default;
        }

        public void AppendLiteral(string value) => text.AppendLiteral(value);

        public void AppendFormatted<T>(T value, string? format = null) => text.AppendFormatted(value, format);

        public string ToStringAndClear() => text.ToStringAndClear();
    }
}
