namespace Mamba.Managed.Templates;

/// <summary><c>not value</c>.</summary>
internal sealed class Negation(int offset, Expression operand) : Expression(offset)
{
    protected override object? Compute(Scope scope) => !Truth.Of(operand.Evaluate(scope));
}

/// <summary><c>left and right</c>, <c>left or right</c>: one of both values, the right one evaluated only where it decides.</summary>
internal sealed class ShortCircuit(int offset, bool isAnd, Expression left, Expression right) : Expression(offset)
{
    protected override object? Compute(Scope scope)
    {
        object? value = left.Evaluate(scope);
        return Truth.Of(value) == isAnd ? right.Evaluate(scope) : value;
    }
}

/// <summary><c>value if condition else other</c>; undefined where there is no other.</summary>
internal sealed class Conditional(int offset, Expression condition, Expression value, Expression? other) : Expression(offset)
{
    protected override object? Compute(Scope scope) =>
        Truth.Of(condition.Evaluate(scope)) ? value.Evaluate(scope)
        : other is not null ? other.Evaluate(scope)
        : new Undefined("the inline 'if' has no 'else' and its condition is false");
}

/// <summary>A sign before a number.</summary>
internal sealed class Sign(int offset, bool isMinus, Expression operand) : Expression(offset)
{
    protected override object? Compute(Scope scope)
    {
        object? value = operand.Evaluate(scope);
        scope.Rendering.At = Offset;
        return isMinus ? Arithmetic.Negate(scope.Rendering, value) : Arithmetic.Plus(scope.Rendering, value);
    }
}

/// <summary>An operator of arithmetic.</summary>
internal sealed class Binary(int offset, string symbol, Expression left, Expression right) : Expression(offset)
{
    protected override object? Compute(Scope scope)
    {
        object? first = left.Evaluate(scope), second = right.Evaluate(scope);
        scope.Rendering.At = Offset;
        return Arithmetic.Of(scope.Rendering, symbol, first, second);
    }
}

/// <summary><c>a ~ b ~ c</c>: the texts of the values behind each other.</summary>
internal sealed class Concatenation(int offset, Expression[] parts) : Expression(offset)
{
    protected override object? Compute(Scope scope)
    {
        Rendering rendering = scope.Rendering;
        BoundedText text = new(rendering);
        foreach (Expression part in parts)
        {
            object? value = part.Evaluate(scope);
            rendering.At = Offset;
            text.Append(PythonText.Str(rendering, value));
        }

        return text.ToString();
    }
}

/// <summary>Comparisons in a chain: <c>a &lt; b &lt;= c</c> holds where each holds, and stops at the first that does not.</summary>
internal sealed class Comparison(int offset, Expression first, (string Symbol, Expression Operand)[] rest) : Expression(offset)
{
    protected override object? Compute(Scope scope)
    {
        object? left = first.Evaluate(scope);
        foreach ((string symbol, Expression operand) in rest)
        {
            object? right = operand.Evaluate(scope);
            scope.Rendering.At = Offset;
            if (!Comparing.Holds(scope.Rendering, symbol, left, right))
            {
                return false;
            }

            left = right;
        }

        return true;
    }
}
