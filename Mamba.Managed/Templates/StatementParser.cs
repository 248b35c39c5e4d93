namespace Mamba.Managed.Templates;

/// <summary>Reads the statements of a template.</summary>
internal sealed class StatementParser
{
    private readonly TokenStream tokens;
    private readonly ExpressionParser expressions;

    // Whether a loop is around what is read, so that break and continue have one to act on.
    private bool isInLoop;

    private StatementParser(TokenStream tokens) => (this.tokens, expressions) = (tokens, new ExpressionParser(tokens));

    /// <summary>The statements of a template.</summary>
    /// <exception cref="InvalidDataException">The template is malformed, nested too deeply, or has what is not supported.</exception>
    public static Statement[] Parse(TemplateText source) => new StatementParser(new TokenStream(source)).ParseBody([]).Body;

    // Statements up to one of the tags that end them; the tag's name has been taken then.
    private (Statement[] Body, string End) ParseBody(string[] ends)
    {
        List<Statement> body = [];
        while (true)
        {
            TemplateToken token = tokens.Take();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    body.Add(new DataStatement(token.Offset, token.Text));
                    break;
                case TokenKind.VariableBegin:
                    body.Add(new PrintStatement(token.Offset, expressions.ParseTuple()));
                    _ = tokens.Expect(TokenKind.VariableEnd, "'}}'");
                    break;
                case TokenKind.BlockBegin:
                    TemplateToken tag = tokens.Expect(TokenKind.Name, "the name of a tag");
                    if (ends.Contains(tag.Text))
                    {
                        return ([.. body], tag.Text);
                    }

                    body.AddRange(tokens.Deeper(() => ParseTag(tag, ends)));
                    EndTag();
                    break;
                default:
                    return ends.Length == 0 ? ([.. body], "") : throw tokens.Unexpected(Ends(ends));
            }
        }
    }

    private Statement[] ParseTag(TemplateToken tag, string[] ends) => tag.Text switch
    {
        "if" => [ParseIf(tag)],
        "for" => [ParseFor(tag)],
        "set" => [ParseSet(tag)],
        "macro" => [ParseMacro(tag)],
        "call" => [ParseCall(tag)],
        "filter" => [new CaptureStatement(tag.Offset, null, expressions.ParseFilters(new BlockText(tag.Offset), startsWithName: true), ParseInner("endfilter"))],
        "generation" => [new CaptureStatement(tag.Offset, null, new BlockText(tag.Offset), ParseInner("endgeneration"))],
        "with" => [ParseWith(tag)],
        "print" => ParsePrint(tag),
        "break" or "continue" => isInLoop
            ? [new JumpStatement(tag.Offset, tag.Text == "break" ? Flow.Break : Flow.Continue)]
            : throw tokens.Refused(tag.Offset, $"'{tag.Text}' stands in no loop"),
        _ => throw tokens.Refused(tag.Offset, ends.Length == 0 ? $"the tag '{Shortened.Text(tag.Text)}' is not supported" : $"the tag '{Shortened.Text(tag.Text)}' is not supported, or is not {Ends(ends)}"),
    };

    private static string Ends(string[] ends) => string.Join(" or ", ends.Select(end => $"'{end}'"));

    private void EndTag() => tokens.Expect(TokenKind.BlockEnd, "'%}'");

    // The body of a tag, whose end may have a colon before it as in Python.
    private (Statement[] Body, string End) ParseInner(string[] ends)
    {
        _ = tokens.TakeIf(":");
        EndTag();
        return ParseBody(ends);
    }

    // The body of what gathers its text first: a loop around it cannot be left from within.
    private Statement[] ParseInner(string end)
    {
        bool outer = isInLoop;
        isInLoop = false;
        Statement[] body = ParseInner([end]).Body;
        isInLoop = outer;
        return body;
    }

    private IfStatement ParseIf(TemplateToken tag)
    {
        List<(Expression, Statement[])> branches = [];
        while (true)
        {
            Expression condition = expressions.ParseTuple(hasConditions: false);
            (Statement[] body, string end) = ParseInner(["elif", "else", "endif"]);
            branches.Add((condition, body));
            if (end != "elif")
            {
                return new IfStatement(tag.Offset, [.. branches], end == "else" ? ParseInner(["endif"]).Body : []);
            }
        }
    }

    private ForStatement ParseFor(TemplateToken tag)
    {
        Target target = ParseTarget("in", hasNamespace: false);
        tokens.ExpectName("in");
        Expression items = expressions.ParseTuple(hasConditions: false);
        Expression? filter = tokens.TakeName("if") ? expressions.Parse() : null;
        if (tokens.Current.IsName("recursive"))
        {
            throw tokens.Refused(tokens.Current.Offset, "'recursive' loops are not supported");
        }

        bool outer = isInLoop;
        isInLoop = true;
        (Statement[] body, string end) = ParseInner(["endfor", "else"]);
        isInLoop = outer;
        return new ForStatement(tag.Offset, target, items, filter, body, end == "else" ? ParseInner(["endfor"]).Body : []);
    }

    private Statement ParseSet(TemplateToken tag)
    {
        Target target = ParseTarget("=", hasNamespace: true);
        return tokens.TakeIf("=")
            ? new SetStatement(tag.Offset, target, expressions.ParseTuple())
            : new CaptureStatement(tag.Offset, target, expressions.ParseFilters(new BlockText(tag.Offset)), ParseInner("endset"));
    }

    private MacroStatement ParseMacro(TemplateToken tag)
    {
        string name = ParseTargetName();
        return new MacroStatement(tag.Offset, ParseDefinition(name, ParseParameters, "endmacro"));
    }

    private CallStatement ParseCall(TemplateToken tag)
    {
        (string, Expression?)[] parameters = tokens.Current.IsOperator("(") ? ParseParameters() : [];
        Call call = expressions.ParseCall();
        return new CallStatement(tag.Offset, ParseDefinition(null, () => parameters, "endcall"), call);
    }

    private MacroDefinition ParseDefinition(string? name, Func<(string, Expression?)[]> parseParameters, string end)
    {
        (((string, Expression?)[] parameters, Statement[] body), IReadOnlySet<string> mentioned) = expressions.Watch(() => (parseParameters(), ParseInner(end)));
        return new MacroDefinition(name, parameters, body, mentioned);
    }

    private (string Name, Expression? Default)[] ParseParameters()
    {
        List<(string Name, Expression? Default)> parameters = [];
        tokens.Expect("(");
        while (!tokens.TakeIf(")"))
        {
            if (parameters.Count > 0)
            {
                tokens.Expect(",");
            }

            int offset = tokens.Current.Offset;
            string name = ParseTargetName();
            Expression? fallback = tokens.TakeIf("=") ? expressions.Parse() : null;
            if (fallback is null && parameters.Any(parameter => parameter.Default is not null))
            {
                throw tokens.Refused(offset, $"the parameter '{name}' has no default and stands behind one that has");
            }

            parameters.Add((name, fallback));
        }

        return [.. parameters];
    }

    private WithStatement ParseWith(TemplateToken tag)
    {
        List<(Target, Expression)> variables = [];
        while (tokens.Current.Kind is not (TokenKind.BlockEnd or TokenKind.End))
        {
            if (variables.Count > 0)
            {
                tokens.Expect(",");
            }

            Target target = new VariableTarget(ParseTargetName());
            tokens.Expect("=");
            variables.Add((target, expressions.Parse()));
        }

        return new WithStatement(tag.Offset, [.. variables], ParseInner(["endwith"]).Body);
    }

    private Statement[] ParsePrint(TemplateToken tag)
    {
        List<Statement> prints = [];
        do
        {
            prints.Add(new PrintStatement(tag.Offset, expressions.Parse()));
        }
        while (tokens.TakeIf(","));
        return [.. prints];
    }

    private Target ParseTarget(string end, bool hasNamespace)
    {
        List<Target> targets = [];
        bool isTuple = false;
        do
        {
            if (isTuple && (tokens.Current.IsName(end) || tokens.Current.IsOperator(end)))
            {
                break;
            }

            targets.Add(ParseOneTarget(hasNamespace));
            isTuple |= tokens.Current.IsOperator(",");
        }
        while (tokens.TakeIf(","));
        return isTuple ? new TupleTarget([.. targets]) : targets[0];
    }

    private Target ParseOneTarget(bool hasNamespace)
    {
        if (tokens.TakeIf("("))
        {
            Target inner = tokens.Deeper(() => ParseTarget(")", hasNamespace: false));
            tokens.Expect(")");
            return inner;
        }

        string name = ParseTargetName();
        return hasNamespace && tokens.TakeIf(".") ? new NamespaceTarget(name, tokens.Expect(TokenKind.Name, "a name behind '.'").Text) : new VariableTarget(name);
    }

    private string ParseTargetName()
    {
        TemplateToken name = tokens.Expect(TokenKind.Name, "a name");
        return name.Text is "true" or "True" or "false" or "False" or "none" or "None" or "loop"
            ? throw tokens.Refused(name.Offset, $"'{name.Text}' cannot be assigned") : name.Text;
    }
}
