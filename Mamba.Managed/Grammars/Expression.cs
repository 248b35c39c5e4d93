using System.Text;

namespace Mamba.Managed.Grammars;

/// <summary>What a rule may be made of: a tree that writes itself as states and edges.</summary>
internal abstract record Expression
{
    /// <summary>The empty text.</summary>
    public static Expression Empty { get; } = new Sequence([]);

    /// <summary>The text itself.</summary>
    public static Expression Text(string text) => new Literal(Encoding.UTF8.GetBytes(text));

    /// <summary>One after the other.</summary>
    public static Expression All(params Expression[] items) => items is [Expression one] ? one : new Sequence(items);

    /// <summary>One of several.</summary>
    public static Expression Any(params Expression[] items) => items is [Expression one] ? one : new Choice(items);

    /// <summary>Once or not at all.</summary>
    public static Expression Optional(Expression item) => new Repeat(item, 0, 1);

    /// <summary>Adds states and edges that read this from a state on.</summary>
    /// <returns>The state after it.</returns>
    public abstract int Build(RuleBuilder rule, int from);

    /// <summary>How many states it takes, about; <see cref="int.MaxValue"/> where it has a loop or calls a rule without a size.</summary>
    public abstract int Measure(Func<int, int> sizeOfRule);

    private protected static int Add(int left, int right) => (int)Math.Min((long)left + right, int.MaxValue);
}

/// <summary>Bytes as they are.</summary>
internal sealed record Literal(byte[] Bytes) : Expression
{
    /// <inheritdoc/>
    public override int Build(RuleBuilder rule, int from)
    {
        foreach (byte value in Bytes)
        {
            int next = rule.AddState();
            rule.AddBytes(from, value, value, next);
            from = next;
        }

        return from;
    }

    /// <inheritdoc/>
    public override int Measure(Func<int, int> sizeOfRule) => Bytes.Length;
}

/// <summary>One character of a set, in UTF-8.</summary>
internal sealed record Characters(CodePointSet Set) : Expression
{
    /// <inheritdoc/>
    public override int Build(RuleBuilder rule, int from)
    {
        int end = rule.AddState();
        new Utf8Edges(rule, from, end).Add(Set);
        return end;
    }

    /// <inheritdoc/>
    public override int Measure(Func<int, int> sizeOfRule) => 8;
}

/// <summary>One after the other.</summary>
internal sealed record Sequence(IReadOnlyList<Expression> Items) : Expression
{
    /// <inheritdoc/>
    public override int Build(RuleBuilder rule, int from) => Items.Aggregate(from, (at, item) => item.Build(rule, at));

    /// <inheritdoc/>
    public override int Measure(Func<int, int> sizeOfRule) => Items.Aggregate(0, (sum, item) => Add(sum, item.Measure(sizeOfRule)));
}

/// <summary>One of several; of none, what no text is.</summary>
internal sealed record Choice(IReadOnlyList<Expression> Items) : Expression
{
    /// <inheritdoc/>
    public override int Build(RuleBuilder rule, int from)
    {
        int end = rule.AddState();
        foreach (Expression item in Items)
        {
            rule.AddEmpty(item.Build(rule, from), end);
        }

        return end;
    }

    /// <inheritdoc/>
    public override int Measure(Func<int, int> sizeOfRule) => Items.Aggregate(1, (sum, item) => Add(sum, item.Measure(sizeOfRule)));
}

/// <summary>So many times.</summary>
/// <param name="Item">What.</param>
/// <param name="Least">At least.</param>
/// <param name="Most">At most; null for any number.</param>
internal sealed record Repeat(Expression Item, int Least, int? Most) : Expression
{
    /// <inheritdoc/>
    public override int Build(RuleBuilder rule, int from)
    {
        // A state of its own, so that a way back to it touches nothing else.
        int at = rule.AddState();
        if (Most is not null)
        {
            rule.AddEmpty(from, at);
            return BuildCopies(rule, at, Most.Value);
        }

        for (int count = 0; count < Least; count++)
        {
            from = Item.Build(rule, from);
        }

        rule.AddEmpty(from, at);
        rule.AddEmpty(Item.Build(rule, at), at);
        return at;
    }

    /// <inheritdoc/>
    public override int Measure(Func<int, int> sizeOfRule) =>
        Most is null ? int.MaxValue : (int)Math.Min((1L + Item.Measure(sizeOfRule)) * Math.Max(1, Most.Value), int.MaxValue);

    private int BuildCopies(RuleBuilder rule, int at, int most)
    {
        int end = rule.AddState(), start = rule.Count;
        bool isOuter = rule.EnterCopies();
        for (int count = 0; count < most; count++)
        {
            if (count >= Least)
            {
                rule.AddEmpty(at, end);
            }

            at = Item.Build(rule, at);
        }

        rule.AddEmpty(at, end);
        if (isOuter)
        {
            rule.LeaveCopies(new(start, most == 0 ? 0 : (rule.Count - start) / most, most, Least));
        }

        return end;
    }
}

/// <summary>Another rule, by its number.</summary>
internal sealed record Call(int Rule) : Expression
{
    /// <inheritdoc/>
    public override int Build(RuleBuilder rule, int from)
    {
        if (rule.Inlined(Rule) is { } body)
        {
            return body.Build(rule, from);
        }

        int end = rule.AddState();
        rule.AddCall(from, Rule, end);
        return end;
    }

    /// <inheritdoc/>
    public override int Measure(Func<int, int> sizeOfRule) => Add(1, sizeOfRule(Rule));
}
