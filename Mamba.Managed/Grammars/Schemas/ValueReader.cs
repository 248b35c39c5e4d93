using System.Text.Json;

namespace Mamba.Managed.Grammars.Schemas;

/// <summary>Makes expressions of keywords that are merged: the values of each type.</summary>
/// <param name="json">The rules that all share.</param>
/// <param name="ruleOf">The rule of a schema within.</param>
internal sealed class ValueReader(JsonGrammar json, Func<Keyword, Expression> ruleOf)
{
    private const int MostCount = 1 << 12;

    /// <summary>The values that fit.</summary>
    /// <exception cref="InvalidDataException">A keyword is malformed, or not supported beside another.</exception>
    public Expression ExpressionOf(SchemaKeywords keywords)
    {
        if (keywords.Values.ContainsKey("enum") || keywords.Values.ContainsKey("const"))
        {
            return Listed(keywords);
        }

        string[] types = [.. keywords.Types ?? Implied(keywords)];
        if (types.Length == 0 && keywords.Types is null)
        {
            return json.Value();
        }

        return Expression.Any([.. types.Where(type => type != "integer" || !types.Contains("number")).Select(type => OfType(type, keywords))]);
    }

    // Without a type, a keyword that speaks of one type is taken to mean it.
    private static IEnumerable<string> Implied(SchemaKeywords keywords)
    {
        if (keywords.Properties.Count > 0 || keywords.Required.Count > 0 || SchemaKeywords.OfObjects.Any(keywords.Values.ContainsKey))
        {
            yield return "object";
        }

        foreach ((string type, string[] names) in new[] { ("array", SchemaKeywords.OfArrays), ("string", SchemaKeywords.OfStrings), ("number", SchemaKeywords.OfNumbers) })
        {
            if (names.Any(keywords.Values.ContainsKey))
            {
                yield return type;
            }
        }
    }

    private static Choice Listed(SchemaKeywords keywords)
    {
        foreach ((string name, Keyword keyword) in keywords.Values)
        {
            Throw.Unless(name is "enum" or "const", $"{keyword.Path}: '{name}' beside enum or const is not supported; leave it out");
        }

        Throw.Unless(keywords.Properties.Count == 0 && keywords.Required.Count == 0, $"{keywords.Path}: properties beside enum or const are not supported; leave them out");
        IEnumerable<JsonElement>? values = null;
        if (keywords.Values.TryGetValue("enum", out Keyword list))
        {
            Throw.Unless(list.Value.ValueKind == JsonValueKind.Array && list.Value.GetArrayLength() > 0, $"{list.Path}: expected a list of values, found {list.Value.ValueKind}");
            values = list.Value.EnumerateArray();
        }

        if (keywords.Values.TryGetValue("const", out Keyword single))
        {
            values = values is null ? [single.Value] : values.Where(value => JsonElement.DeepEquals(value, single.Value));
        }

        return new([.. values!.Where(value => Fits(value, keywords.Types)).Select(value => Expression.Text(JsonText.Compact(value, keywords.Path)))]);
    }

    private static bool Fits(JsonElement value, HashSet<string>? types) => types is null || value.ValueKind switch
    {
        JsonValueKind.Number => types.Contains("number") || (types.Contains("integer") && value.TryGetDecimal(out decimal number) && decimal.IsInteger(number)),
        JsonValueKind.True or JsonValueKind.False => types.Contains("boolean"),
        JsonValueKind kind => types.Contains(kind.ToString().ToLowerInvariant()),
    };

    private Expression OfType(string type, SchemaKeywords keywords) => type switch
    {
        "object" => Object(keywords),
        "array" => Array(keywords),
        "string" => String(keywords),
        "number" => Number(keywords),
        "integer" => Integer(keywords),
        "boolean" => JsonGrammar.Boolean,
        _ => JsonGrammar.Null,
    };

    private Expression Object(SchemaKeywords keywords)
    {
        bool isSaid = keywords.Values.TryGetValue("additionalProperties", out Keyword additional);
        HashSet<string> names = [.. keywords.Properties.Select(property => property.Name)];
        foreach (string name in keywords.Required)
        {
            Throw.Unless(names.Contains(name), $"{keywords.Path}/required: expected names of properties, found '{Shortened.Text(name)}', which properties does not have");
        }

        if (!isSaid && names.Count == 0)
        {
            return json.Object();
        }

        Expression? others = null;
        if (isSaid && additional.Value.ValueKind != JsonValueKind.False)
        {
            others = Expression.All(new OtherName(names), JsonGrammar.Colon, ruleOf(additional));
        }

        HashSet<string> required = [.. keywords.Required];
        IEnumerable<Member> members = keywords.Properties.Select(property => new Member(
            Expression.All(Expression.Text(JsonText.Quote(property.Name)), JsonGrammar.Colon, ruleOf(property.Schema)), required.Contains(property.Name)));
        return new MemberList(json, [.. members], others).ToExpression();
    }

    private Expression Array(SchemaKeywords keywords)
    {
        (int least, int? most) = Counts(keywords, "minItems", "maxItems");
        bool isSaid = keywords.Values.TryGetValue("items", out Keyword items);
        Throw.Unless(!isSaid || items.Value.ValueKind != JsonValueKind.Array, $"{items.Path}: expected one schema, found a list, which is not supported; use prefixItems");
        List<Expression> first = [];
        if (keywords.Values.TryGetValue("prefixItems", out Keyword prefix))
        {
            Throw.Unless(prefix.Value.ValueKind == JsonValueKind.Array, $"{prefix.Path}: expected a list of schemas, found {prefix.Value.ValueKind}");
            first.AddRange(prefix.Value.EnumerateArray().Select((item, index) => ruleOf(new(item, Throw.Invariant($"{prefix.Path}/{index}")))));
        }

        if (!isSaid && first.Count == 0 && least == 0 && most is null)
        {
            return json.Array();
        }

        // As with properties: what prefixItems does not name is not written, unless items says what it is.
        Expression? others = isSaid ? ruleOf(items) : first.Count == 0 ? json.Value() : null;
        Throw.Unless(others is not null || least <= first.Count, $"{keywords.Path}/minItems: expected at most the {first.Count} of prefixItems, found {least}; say with items what the others are");
        return new ElementList(json, first, others, least, most).ToExpression();
    }

    private Expression String(SchemaKeywords keywords)
    {
        string[] said = [.. SchemaKeywords.OfStrings.Where(keywords.Values.ContainsKey)];
        if (said.Length == 0)
        {
            return json.String;
        }

        bool hasPattern = keywords.Values.TryGetValue("pattern", out Keyword pattern), hasFormat = keywords.Values.TryGetValue("format", out Keyword format);
        if (hasPattern || hasFormat)
        {
            Keyword other = said.Length > 1 ? keywords.Values[said[0]] : default;
            Throw.Unless(said.Length == 1, $"{other.Path}: '{said[0]}' beside '{said[^1]}' is not supported; leave one out");
            Keyword only = hasPattern ? pattern : format;
            Throw.Unless(only.Value.ValueKind == JsonValueKind.String, $"{only.Path}: expected a string, found {only.Value.ValueKind}");
            string text = only.Value.GetString()!;
            string? regex = hasPattern ? text : StringFormats.PatternOf(text);
            Throw.Unless(regex is not null, $"{only.Path}: expected one of {string.Join(", ", StringFormats.Names)}, found '{Shortened.Text(text)}', which is not supported");
            return json.Shared($"pattern {regex}", () => JsonGrammar.Quoted(PatternReader.Read(regex, only.Path)));
        }

        (int least, int? most) = Counts(keywords, "minLength", "maxLength");
        return json.Shared(Throw.Invariant($"string {least} {most}"), () => JsonGrammar.Quoted(new Repeat(JsonText.AnyCharacter, least, most)));
    }

    private static (int Least, int? Most) Counts(SchemaKeywords keywords, string least, string most)
    {
        int? low = Count(least), high = Count(most);
        Throw.Unless(high is null || high >= (low ?? 0), $"{keywords.Path}: expected {most} of at least {least}, found {high} and {low}");
        return (low ?? 0, high);

        int? Count(string name)
        {
            if (!keywords.Values.TryGetValue(name, out Keyword keyword))
            {
                return null;
            }

            decimal count = keyword.Value.ValueKind == JsonValueKind.Number && keyword.Value.TryGetDecimal(out decimal number) ? number : -1;
            Throw.Unless(count >= 0 && count <= MostCount && decimal.IsInteger(count), $"{keyword.Path}: expected a whole number up to {MostCount}, found {Shortened.Text(keyword.Value.GetRawText())}");
            return (int)count;
        }
    }

    private Expression Integer(SchemaKeywords keywords)
    {
        long? least = Larger(Whole("minimum", decimal.Ceiling, 0), Whole("exclusiveMinimum", decimal.Floor, 1));
        long? most = -Larger(-Whole("maximum", decimal.Floor, 0), -Whole("exclusiveMaximum", decimal.Ceiling, -1));
        return least is null && most is null ? json.Integer : NumberRange.Integers(least, most);

        long? Whole(string name, Func<decimal, decimal> round, int beyond) => Bound(keywords, name) is { } bound ? (long)round(bound) + beyond : null;
    }

    private Expression Number(SchemaKeywords keywords)
    {
        long? least = Whole("minimum"), above = Whole("exclusiveMinimum"), most = Whole("maximum"), below = Whole("exclusiveMaximum");
        if ((least ?? above ?? most ?? below) is null)
        {
            return json.Number;
        }

        bool isAbove = above is not null && (least is null || above >= least), isBelow = below is not null && (most is null || below <= most);
        return NumberRange.Decimals(isAbove ? above : least, isBelow ? below : most, isAbove, isBelow);

        long? Whole(string name)
        {
            decimal? bound = Bound(keywords, name);
            Throw.Unless(bound is null || decimal.IsInteger(bound.Value), $"{keywords.Path}/{name}: expected a whole number as the bound of numbers, found {bound}; other bounds are not supported");
            return (long?)bound;
        }
    }

    private static long? Larger(long? left, long? right) => left is null || right > left ? right : left;

    private static decimal? Bound(SchemaKeywords keywords, string name)
    {
        if (!keywords.Values.TryGetValue(name, out Keyword keyword))
        {
            return null;
        }

        bool isNumber = keyword.Value.ValueKind == JsonValueKind.Number;
        decimal bound = isNumber && keyword.Value.TryGetDecimal(out decimal number) ? number : decimal.MaxValue;
        Throw.Unless(Math.Abs(bound) <= NumberRange.MostBound, $"{keyword.Path}: expected a number of at most 18 digits, found {Shortened.Text(keyword.Value.GetRawText())}");
        return bound;
    }
}
