namespace Mamba.Managed.Templates;

/// <summary>The operators of arithmetic, with Python's results: a quotient is a float, a remainder has the sign of the divisor.</summary>
internal static class Arithmetic
{
    /// <summary>The result of an operator.</summary>
    public static object? Of(Rendering rendering, string symbol, object? left, object? right)
    {
        if (symbol == "%" && left is string format)
        {
            return PercentFormat.Of(rendering, format, right);
        }

        if (Numbers.IsInteger(left) && Numbers.IsInteger(right))
        {
            return OfIntegers(rendering, symbol, Numbers.ToLong(left!), Numbers.ToLong(right!));
        }

        if (Numbers.Is(left) && Numbers.Is(right))
        {
            return left is double || right is double || symbol == "/"
                ? OfFloats(rendering, symbol, Numbers.ToDouble(left!), Numbers.ToDouble(right!))
                : throw Overflow(rendering);
        }

        return symbol switch
        {
            "+" when left is string a && right is string b => Joined(rendering, a, b),
            "+" when left is PyList a && right is PyList b => new PyList(Joined(rendering, a.Items, b.Items)),
            "+" when left is PyTuple a && right is PyTuple b => new PyTuple(Joined(rendering, a.Items, b.Items)),
            "*" when left is string or PySequence && Numbers.IsInteger(right) => Repeated(rendering, left, Numbers.ToLong(right!)),
            "*" when right is string or PySequence && Numbers.IsInteger(left) => Repeated(rendering, right, Numbers.ToLong(left!)),
            _ => throw (left is Undefined || right is Undefined
                ? rendering.Unfit("", left is Undefined ? left : right)
                : rendering.Failed($"'{symbol}' is not for values of the types {PythonText.TypeName(left)} and {PythonText.TypeName(right)}")),
        };
    }

    /// <summary>The number with the other sign.</summary>
    public static object Negate(Rendering rendering, object? value) => value switch
    {
        double number => (object)-number,
        long.MinValue => throw Overflow(rendering),
        bool or long => -Numbers.ToLong(value),
        _ => throw rendering.Unfit("expected a number behind '-'", value),
    };

    /// <summary>The number itself.</summary>
    public static object Plus(Rendering rendering, object? value) => value switch
    {
        double number => (object)number,
        bool or long => Numbers.ToLong(value),
        _ => throw rendering.Unfit("expected a number behind '+'", value),
    };

    private static object OfIntegers(Rendering rendering, string symbol, long left, long right)
    {
        if (right == 0 && IsDivision(symbol))
        {
            throw rendering.Failed($"'{symbol}': division by zero");
        }

        try
        {
            return symbol switch
            {
                "+" => (object)checked(left + right),
                "-" => checked(left - right),
                "*" => checked(left * right),
                "/" => (double)left / right,
                "//" => FloorQuotient(left, right),
                "%" => Remainder(left, right),
                _ => Power(rendering, left, right),
            };
        }
        catch (OverflowException)
        {
            throw Overflow(rendering);
        }
    }

    private static bool IsDivision(string symbol) => symbol is "/" or "//" or "%";

    private static long Remainder(long left, long right)
    {
        // Of the least integer and -1 the processor would compute a quotient that overflows.
        long rest = right == -1 ? 0 : left % right;
        return rest != 0 && rest < 0 != right < 0 ? rest + right : rest;
    }

    private static long FloorQuotient(long left, long right)
    {
        long quotient = checked(left / right);
        return left % right != 0 && left < 0 != right < 0 ? quotient - 1 : quotient;
    }

    private static object Power(Rendering rendering, long number, long exponent)
    {
        if (exponent < 0)
        {
            return number == 0 ? throw rendering.Failed("'**': zero has no negative power") : Math.Pow(number, exponent);
        }

        if (number is 0 or 1 or -1)
        {
            return exponent == 0 ? 1L : number == -1 && exponent % 2 == 0 ? 1L : number;
        }

        long power = 1;
        for (; exponent > 0; exponent--)
        {
            power = checked(power * number);
        }

        return power;
    }

    private static double OfFloats(Rendering rendering, string symbol, double left, double right)
    {
        if (right == 0 && IsDivision(symbol))
        {
            throw rendering.Failed($"'{symbol}': division by zero");
        }

        return symbol switch
        {
            "+" => left + right,
            "-" => left - right,
            "*" => left * right,
            "/" => left / right,
            "//" => FloorQuotient(left, right),
            "%" => Remainder(left, right),
            _ => Power(rendering, left, right),
        };
    }

    private static double Remainder(double left, double right)
    {
        double rest = left % right;
        return rest == 0 ? Math.CopySign(0, right) : rest < 0 != right < 0 ? rest + right : rest;
    }

    private static double FloorQuotient(double left, double right)
    {
        double rest = left % right;
        double quotient = (left - rest) / right;
        quotient -= rest != 0 && rest < 0 != right < 0 ? 1 : 0;
        if (quotient == 0)
        {
            return Math.CopySign(0, left / right);
        }

        double floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    private static double Power(Rendering rendering, double number, double exponent)
    {
        double power = Math.Pow(number, exponent);
        bool hasNone = (number == 0 && exponent < 0) || (number < 0 && exponent != Math.Floor(exponent) && double.IsFinite(exponent) && double.IsFinite(number))
            || (double.IsInfinity(power) && double.IsFinite(number) && double.IsFinite(exponent));
        return hasNone ? throw rendering.Failed("'**': the power is not a finite number") : power;
    }

    private static string Joined(Rendering rendering, string left, string right)
    {
        rendering.RequireText((long)left.Length + right.Length);
        return left + right;
    }

    private static object?[] Joined(Rendering rendering, object?[] left, object?[] right)
    {
        rendering.Step((long)left.Length + right.Length);
        return [.. left, .. right];
    }

    private static object Repeated(Rendering rendering, object value, long count)
    {
        int times = (int)Math.Clamp(count, 0, int.MaxValue);
        if (value is string text)
        {
            rendering.RequireText((long)text.Length * times);
            return text.Length <= 1 ? new string(text.FirstOrDefault(), text.Length * times) : string.Concat(Enumerable.Repeat(text, times));
        }

        object?[] items = ((PySequence)value).Items;
        rendering.Step((long)items.Length * times);
        object?[] all = new object?[items.Length * times];
        for (int at = 0; at < all.Length; at += items.Length)
        {
            items.CopyTo(all, at);
        }

        return value is PyList ? new PyList(all) : new PyTuple(all);
    }

    private static ChatTemplateException Overflow(Rendering rendering) => rendering.Failed("the result does not fit an integer of 64 bits");
}
