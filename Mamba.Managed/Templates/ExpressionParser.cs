namespace Mamba.Managed.Templates;

/// <summary>Reads expressions, with the precedence of operators that Jinja has.</summary>
internal sealed class ExpressionParser(TokenStream tokens)
{
    private HashSet<string> mentioned = [];

    /// <summary>Runs a parser, and gives the variables that it mentioned.</summary>
    public (T Parsed, IReadOnlySet<string> Mentioned) Watch<T>(Func<T> parse)
    {
        HashSet<string> outer = mentioned;
        HashSet<string> inner = mentioned = [];
        T parsed = parse();
        outer.UnionWith(inner);
        mentioned = outer;
        return (parsed, inner);
    }

    /// <summary>An expression with an inline <c>if</c>.</summary>
    public Expression Parse() => tokens.Deeper(ParseConditional);

    /// <summary>One or several expressions with commas between them, which are a tuple.</summary>
    public Expression ParseTuple(bool hasConditions = true, bool isInParentheses = false)
    {
        int start = tokens.Current.Offset;
        List<Expression> items = [];
        bool isTuple = false;
        while (!IsTupleEnd())
        {
            items.Add(hasConditions ? Parse() : tokens.Deeper(ParseOr));
            if (!tokens.TakeIf(","))
            {
                break;
            }

            isTuple = true;
        }

        return isTuple || (items.Count == 0 && isInParentheses) ? new TupleDisplay(start, [.. items])
            : items.Count == 1 ? items[0] : throw tokens.Unexpected("an expression");
    }

    /// <summary>A call: the name of a function or a macro and its arguments.</summary>
    public Call ParseCall() => tokens.Current.Offset is var start && Parse() is Call call ? call : throw tokens.Refused(start, "expected a call");

    /// <summary>Filters, each behind a bar, of a value; the first one without a bar where it follows a keyword.</summary>
    public Expression ParseFilters(Expression value, bool startsWithName = false)
    {
        while (startsWithName || tokens.TakeIf("|"))
        {
            TemplateToken name = tokens.Expect(TokenKind.Name, "the name of a filter");
            Filter filter = Filters.Find(name.Text) ?? throw tokens.Refused(name.Offset, $"the filter '{Shortened.Text(name.Text)}' is not supported");
            CallArguments arguments = tokens.Current.IsOperator("(") ? ParseArguments() : CallArguments.None;
            value = new FilterCall(name.Offset, value, $"the filter '{name.Text}'", filter, arguments);
            startsWithName = false;
        }

        return value;
    }

    private bool IsTupleEnd() => tokens.Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || tokens.Current.IsOperator(")");

    private Expression ParseConditional()
    {
        Expression value = ParseOr();
        while (tokens.Current.IsName("if"))
        {
            int offset = tokens.Take().Offset;
            Expression condition = ParseOr();
            value = new Conditional(offset, condition, value, tokens.TakeName("else") ? Parse() : null);
        }

        return value;
    }

    private Expression ParseOr()
    {
        Expression left = ParseAnd();
        while (tokens.Current.IsName("or"))
        {
            left = new ShortCircuit(tokens.Take().Offset, isAnd: false, left, ParseAnd());
        }

        return left;
    }

    private Expression ParseAnd()
    {
        Expression left = ParseNot();
        while (tokens.Current.IsName("and"))
        {
            left = new ShortCircuit(tokens.Take().Offset, isAnd: true, left, ParseNot());
        }

        return left;
    }

    private Expression ParseNot() =>
        tokens.Current.IsName("not") ? new Negation(tokens.Take().Offset, tokens.Deeper(ParseNot)) : ParseComparison();

    private Expression ParseComparison()
    {
        int offset = tokens.Current.Offset;
        Expression first = ParseSum();
        List<(string, Expression)> rest = [];
        while (ComparisonSymbol() is { } symbol)
        {
            offset = rest.Count == 0 ? tokens.Current.Offset : offset;
            _ = tokens.Take();
            if (symbol == "not in")
            {
                _ = tokens.Take();
            }

            rest.Add((symbol, ParseSum()));
        }

        return rest.Count == 0 ? first : new Comparison(offset, first, [.. rest]);
    }

    private string? ComparisonSymbol() => tokens.Current switch
    {
        { Kind: TokenKind.Operator, Text: "==" or "!=" or "<" or "<=" or ">" or ">=" } token => token.Text,
        { Kind: TokenKind.Name, Text: "in" } => "in",
        { Kind: TokenKind.Name, Text: "not" } when tokens.Following.IsName("in") => "not in",
        _ => null,
    };

    private Expression ParseSum()
    {
        Expression left = ParseConcatenation();
        while (tokens.Current is { Kind: TokenKind.Operator, Text: "+" or "-" })
        {
            TemplateToken symbol = tokens.Take();
            left = new Binary(symbol.Offset, symbol.Text, left, ParseConcatenation());
        }

        return left;
    }

    private Expression ParseConcatenation()
    {
        int offset = tokens.Current.Offset;
        List<Expression> parts = [ParseProduct()];
        while (tokens.TakeIf("~"))
        {
            parts.Add(ParseProduct());
        }

        return parts.Count == 1 ? parts[0] : new Concatenation(offset, [.. parts]);
    }

    private Expression ParseProduct()
    {
        Expression left = ParsePower();
        while (tokens.Current is { Kind: TokenKind.Operator, Text: "*" or "/" or "//" or "%" })
        {
            TemplateToken symbol = tokens.Take();
            left = new Binary(symbol.Offset, symbol.Text, left, ParsePower());
        }

        return left;
    }

    private Expression ParsePower()
    {
        Expression left = ParseSigned(hasFilters: true);
        while (tokens.Current.IsOperator("**"))
        {
            left = new Binary(tokens.Take().Offset, "**", left, ParseSigned(hasFilters: true));
        }

        return left;
    }

    private Expression ParseSigned(bool hasFilters)
    {
        Expression value = tokens.Current is { Kind: TokenKind.Operator, Text: "-" or "+" }
            ? new Sign(tokens.Current.Offset, tokens.Take().Text == "-", tokens.Deeper(() => ParseSigned(hasFilters: false)))
            : ParsePrimary();
        value = ParsePostfix(value);
        return hasFilters ? ParseFiltersAndTests(value) : value;
    }

    private Expression ParsePrimary()
    {
        TemplateToken token = tokens.Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                return ParseName(tokens.Take());
            case TokenKind.String:
                List<string> parts = [];
                while (tokens.Current.Kind == TokenKind.String)
                {
                    parts.Add(tokens.Take().Text);
                }

                return new Constant(token.Offset, string.Concat(parts));
            case TokenKind.Number:
                return new Constant(token.Offset, tokens.Take().Value);
            case TokenKind.Operator when token.Text == "(":
                _ = tokens.Take();
                Expression inner = tokens.Deeper(() => ParseTuple(isInParentheses: true));
                tokens.Expect(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                _ = tokens.Take();
                return new ListDisplay(token.Offset, [.. ParseUpTo("]", Parse)]);
            case TokenKind.Operator when token.Text == "{":
                _ = tokens.Take();
                return new DictDisplay(token.Offset, [.. ParseUpTo("}", ParsePair)]);
            default:
                throw tokens.Unexpected("an expression");
        }
    }

    private Expression ParseName(TemplateToken token)
    {
        switch (token.Text)
        {
            case "true" or "True":
                return new Constant(token.Offset, true);
            case "false" or "False":
                return new Constant(token.Offset, false);
            case "none" or "None":
                return new Constant(token.Offset, null);
            default:
                mentioned.Add(token.Text);
                return new Variable(token.Offset, token.Text);
        }
    }

    private (Expression Key, Expression Value) ParsePair()
    {
        Expression key = Parse();
        tokens.Expect(":");
        return (key, Parse());
    }

    private List<T> ParseUpTo<T>(string end, Func<T> parse)
    {
        List<T> items = [];
        while (!tokens.TakeIf(end))
        {
            if (items.Count > 0)
            {
                tokens.Expect(",");
                if (tokens.TakeIf(end))
                {
                    break;
                }
            }

            items.Add(parse());
        }

        return items;
    }

    private Expression ParsePostfix(Expression value)
    {
        while (tokens.Current is { Kind: TokenKind.Operator, Text: "." or "[" or "(" } symbol)
        {
            value = symbol.Text switch
            {
                "." => ParseAttribute(value),
                "[" => ParseItem(value),
                _ => new Call(symbol.Offset, value, ParseArguments()),
            };
        }

        return value;
    }

    private Expression ParseFiltersAndTests(Expression value)
    {
        while (true)
        {
            if (tokens.Current.IsOperator("|"))
            {
                value = ParseFilters(value);
            }
            else if (tokens.Current.IsName("is"))
            {
                value = ParseTest(value);
            }
            else if (tokens.Current.IsOperator("("))
            {
                value = new Call(tokens.Current.Offset, value, ParseArguments());
            }
            else
            {
                return value;
            }
        }
    }

    private Member ParseAttribute(Expression value)
    {
        _ = tokens.Take();
        TemplateToken name = tokens.Current;
        if (name.Kind != TokenKind.Name && name.Value is not long)
        {
            throw tokens.Unexpected("a name behind '.'");
        }

        _ = tokens.Take();
        return new Member(name.Offset, value, new Constant(name.Offset, name.Value ?? name.Text), isAttribute: name.Kind == TokenKind.Name);
    }

    private Expression ParseItem(Expression value)
    {
        int offset = tokens.Take().Offset;
        Expression? start = null, stop = null, step = null;
        if (!tokens.Current.IsOperator(":"))
        {
            start = Parse();
            if (tokens.Current.IsOperator(","))
            {
                throw tokens.Refused(tokens.Current.Offset, "several indices in brackets are not supported");
            }

            if (tokens.TakeIf("]"))
            {
                return new Member(offset, value, start, isAttribute: false);
            }
        }

        tokens.Expect(":");
        stop = IsSliceEnd() ? null : Parse();
        step = !tokens.TakeIf(":") || IsSliceEnd() ? null : Parse();
        tokens.Expect("]");
        return new Slice(offset, value, start, stop, step);

        bool IsSliceEnd() => tokens.Current is { Kind: TokenKind.Operator, Text: ":" or "]" };
    }

    private Expression ParseTest(Expression value)
    {
        int offset = tokens.Take().Offset;
        bool isNegated = tokens.TakeName("not");
        TemplateToken name = tokens.Expect(TokenKind.Name, "the name of a test");
        Test test = Tests.Find(name.Text) ?? throw tokens.Refused(name.Offset, $"the test '{Shortened.Text(name.Text)}' is not supported");
        CallArguments arguments = CallArguments.None;
        if (tokens.Current.IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if (tokens.Current.IsName("is"))
        {
            throw tokens.Refused(tokens.Current.Offset, "tests cannot be chained with 'is'");
        }
        else if (BeginsOperand())
        {
            arguments = new CallArguments([ParsePostfix(ParsePrimary())], [], null, null);
        }

        Expression tested = new FilterCall(name.Offset, value, $"the test '{name.Text}'", (rendering, subject, values) => test(rendering, subject, values), arguments);
        return isNegated ? new Negation(offset, tested) : tested;
    }

    private bool BeginsOperand() => tokens.Current switch
    {
        { Kind: TokenKind.Name } name => name.Text is not ("else" or "or" or "and"),
        { Kind: TokenKind.String or TokenKind.Number } => true,
        { Kind: TokenKind.Operator, Text: "[" or "{" } => true,
        _ => false,
    };

    private CallArguments ParseArguments()
    {
        List<Expression> positional = [];
        List<(string, Expression)> keywords = [];
        Expression? list = null, mapping = null;
        int offset = tokens.Take().Offset;
        _ = ParseUpTo(")", () =>
        {
            bool isOrdered = mapping is null;
            if (tokens.TakeIf("*"))
            {
                isOrdered &= list is null;
                list = Parse();
            }
            else if (tokens.TakeIf("**"))
            {
                mapping = Parse();
            }
            else if (tokens.Current.Kind == TokenKind.Name && tokens.Following.IsOperator("="))
            {
                string name = tokens.Take().Text;
                _ = tokens.Take();
                keywords.Add((name, Parse()));
            }
            else
            {
                isOrdered &= list is null && keywords.Count == 0;
                positional.Add(Parse());
            }

            return isOrdered ? true : throw tokens.Refused(offset, "expected the arguments without names first, then those with names");
        });
        return new CallArguments([.. positional], [.. keywords], list, mapping);
    }
}
