namespace Mamba.Managed.Grammars.Schemas;

/// <summary>The rules of JSON that schemas share; each is made when it is first asked for.</summary>
internal sealed class JsonGrammar(GrammarRules rules)
{
    /// <summary>How deep arrays and objects of any kind nest; readers of JSON stop at 64 as a rule.</summary>
    public const int MostDepth = 16;

    private readonly Dictionary<string, int> known = [];

    /// <summary>The rules.</summary>
    public GrammarRules Rules => rules;

    /// <summary>White space.</summary>
    public Expression Space => Shared("space", () => JsonText.Space);

    /// <summary>Any string.</summary>
    public Expression String => Shared("string", () => Quoted(new Repeat(JsonText.AnyCharacter, 0, null)));

    /// <summary>Any number, of at most 15 digits, 15 decimals and an exponent of two digits.</summary>
    public Expression Number => Shared("number", () => Expression.All(
        Expression.Optional(Expression.Text("-")), Whole, Expression.Optional(Decimals),
        Expression.Optional(Expression.All(
            new Characters(CodePointSet.OfCharacters("eE")), Expression.Optional(new Characters(CodePointSet.OfCharacters("+-"))), new Repeat(JsonText.Digit, 1, 2)))));

    /// <summary>Any integer of at most 15 digits.</summary>
    public Expression Integer => Shared("integer", () => Expression.Any(
        Expression.Text("0"), Expression.All(Expression.Optional(Expression.Text("-")), JsonText.DigitNotZero, new Repeat(JsonText.Digit, 0, JsonText.MostDigits - 1))));

    /// <summary>true or false.</summary>
    public static Expression Boolean { get; } = Expression.Any(Expression.Text("true"), Expression.Text("false"));

    /// <summary>null.</summary>
    public static Expression Null { get; } = Expression.Text("null");

    /// <summary>Decimals with their point.</summary>
    public static Expression Decimals { get; } = Expression.All(Expression.Text("."), new Repeat(JsonText.Digit, 1, JsonText.MostDecimals));

    private static Expression Whole { get; } = Expression.Any(
        Expression.Text("0"), Expression.All(JsonText.DigitNotZero, new Repeat(JsonText.Digit, 0, JsonText.MostDigits - 1)));

    /// <summary>The grammar of any value.</summary>
    public static Grammar Create()
    {
        GrammarRules rules = new();
        JsonGrammar json = new(rules);
        return new(rules, rules.Add("root", json.Value()));
    }

    /// <summary>A string with given contents.</summary>
    public static Expression Quoted(Expression contents) => Expression.All(Expression.Text("\""), contents, Expression.Text("\""));

    /// <summary>Any value.</summary>
    public Expression Value() => Value(MostDepth);

    /// <summary>Any object.</summary>
    public Expression Object() => Object(MostDepth);

    /// <summary>Any array.</summary>
    public Expression Array() => Array(MostDepth);

    /// <summary>A rule of its own.</summary>
    public Expression Shared(string name, Func<Expression> body)
    {
        if (!known.TryGetValue(name, out int rule))
        {
            known[name] = rule = rules.Add(name);
            rules.Set(rule, body());
        }

        return new Call(rule);
    }

    private Expression Value(int depth)
    {
        Expression[] simple = [String, Number, Boolean, Null];
        return Shared(Throw.Invariant($"value {depth}"), () => Expression.Any(depth == 0 ? simple : [Object(depth), Array(depth), .. simple]));
    }

    private Expression Object(int depth) => Shared(Throw.Invariant($"object {depth}"), () =>
        new MemberList(this, [], Expression.All(String, Colon, Value(depth - 1))).ToExpression());

    private Expression Array(int depth) => Shared(Throw.Invariant($"array {depth}"), () => new ElementList(this, [], Value(depth - 1), 0, null).ToExpression());

    /// <summary>What stands between a name and its value.</summary>
    public static Expression Colon { get; } = Expression.All(Expression.Text(":"), Expression.Optional(Expression.Text(" ")));
}
