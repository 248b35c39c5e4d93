namespace Mamba.Managed.Grammars.Schemas;

/// <summary>A member of an object: its name, colon and value, and whether it must be there.</summary>
internal readonly record struct Member(Expression Text, bool IsRequired);

/// <summary>The members of an object, in their order, with commas between those that are there.</summary>
/// <param name="Json">The rules of white space.</param>
/// <param name="Members">In order.</param>
/// <param name="Others">Members of other names, any number of them after these; null for none.</param>
internal sealed record MemberList(JsonGrammar Json, IReadOnlyList<Member> Members, Expression? Others) : Expression
{
    /// <summary>The object with its braces.</summary>
    public Expression ToExpression() => All(Text("{"), this, Text("}"));

    /// <inheritdoc/>
    public override int Build(RuleBuilder rule, int from)
    {
        // Two ways side by side: no member was written yet, or one was and a comma comes before the next.
        Expression comma = All(Text(","), Json.Space);
        int none = from, some = rule.AddState();
        foreach (Member member in Members)
        {
            int after = rule.AddState(), noneAfter = rule.AddState();
            rule.AddEmpty(All(Json.Space, member.Text).Build(rule, none), after);
            rule.AddEmpty(All(comma, member.Text).Build(rule, some), after);
            if (!member.IsRequired)
            {
                rule.AddEmpty(none, noneAfter);
                rule.AddEmpty(some, after);
            }

            (none, some) = (noneAfter, after);
        }

        if (Others is not null)
        {
            int loop = rule.AddState();
            rule.AddEmpty(some, loop);
            rule.AddEmpty(All(Json.Space, Others).Build(rule, none), loop);
            rule.AddEmpty(All(comma, Others).Build(rule, loop), loop);
            some = loop;
        }

        int end = rule.AddState();
        rule.AddEmpty(Json.Space.Build(rule, some), end);
        rule.AddEmpty(none, end);
        return end;
    }

    /// <inheritdoc/>
    public override int Measure(Func<int, int> sizeOfRule) => int.MaxValue;
}

/// <summary>The elements of an array with commas between them.</summary>
/// <param name="Json">The rules of white space.</param>
/// <param name="First">Those that have a form of their own.</param>
/// <param name="Others">Those after them; null for none.</param>
/// <param name="Least">At least so many.</param>
/// <param name="Most">At most so many; null for any number.</param>
internal sealed record ElementList(JsonGrammar Json, IReadOnlyList<Expression> First, Expression? Others, int Least, int? Most) : Expression
{
    /// <summary>The array with its brackets.</summary>
    public Expression ToExpression() => All(Text("["), this, Text("]"));

    /// <inheritdoc/>
    public override int Build(RuleBuilder rule, int from)
    {
        int end = rule.AddState(), close = rule.AddState();
        rule.AddEmpty(Json.Space.Build(rule, close), end);
        int most = Most ?? (Others is null ? First.Count : int.MaxValue);
        int unrolled = Math.Min(most, Most is null ? Math.Max(Math.Max(First.Count, Least), 1) : most);
        int at = from;
        for (int count = 0; ; count++)
        {
            if (count >= Least)
            {
                rule.AddEmpty(at, count == 0 ? end : close);
            }

            Expression? element = count < First.Count ? First[count] : Others;
            if (element is null || count >= most)
            {
                return end;
            }

            Expression text = All(count == 0 ? Empty : Text(","), Json.Space, element);
            if (count >= unrolled)
            {
                // Any number of further ones: the end leads back.
                rule.AddEmpty(text.Build(rule, at), at);
                return end;
            }

            int next = rule.AddState();
            rule.AddEmpty(text.Build(rule, at), next);
            at = next;
        }
    }

    /// <inheritdoc/>
    public override int Measure(Func<int, int> sizeOfRule) => int.MaxValue;
}
