using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>
/// Writes one unrolled method. It walks through the template as an interpreter would: constants, marked loops and local arrays are carried out,
/// what is left is written down. Names are looked up in the frame of the method at hand; calls of inlined methods open a new one.
/// </summary>
internal sealed partial class Unroller
{
    private const int MaxLines = 100_000;

    private readonly Facts facts;
    private readonly MethodDeclarationSyntax template;
    private readonly Settings settings;
    private readonly Output output = new();
    private readonly Names names;
    private readonly Dictionary<ISymbol, object?> fieldValues = new(SymbolEqualityComparer.Default);
    private Frame frame;
    private Log log = new();
    private int unrolling;
    private Jump breakTarget;
    private Jump continueTarget;

    /// <summary>Says where the expression at hand stands, if no statements can be put before it.</summary>
    private string? noStatements;

    private Unroller(Facts facts, MethodDeclarationSyntax template, Settings settings)
    {
        this.facts = facts;
        this.template = template;
        this.settings = settings;
        frame = new Frame((IMethodSymbol)facts.Declared(template)!, caller: null, facts.Compilation);
        names = new Names(template.DescendantTokens().Where(token => token.IsKind(SyntaxKind.IdentifierToken)).Select(token => token.ValueText));
    }

    private enum Jump
    {
        Outside,
        Rolled,
        Unrolled,
    }

    /// <summary>The statements of the template's body, unrolled.</summary>
    /// <exception cref="TemplateException">The template cannot be unrolled.</exception>
    public static Output Expand(Facts facts, MethodDeclarationSyntax template, Settings settings)
    {
        Unroller unroller = new(facts, template, settings);
        if (template.Body is { } body)
        {
            unroller.Statements(body.Statements);
        }
        else
        {
            unroller.ExpressionBody(template.ExpressionBody!.Expression);
        }

        return unroller.output;
    }

    private void ExpressionBody(ExpressionSyntax expression)
    {
        if (frame.Method.ReturnsVoid)
        {
            Expression(expression);
        }
        else
        {
            output.Line($"return {Value(expression).Text};");
        }
    }

    private void Statements(IReadOnlyList<StatementSyntax> statements)
    {
        foreach (StatementSyntax statement in statements)
        {
            if (!frame.Returned)
            {
                Statement(statement);
            }
        }
    }

    private void Statement(StatementSyntax statement)
    {
        facts.Cancellation.ThrowIfCancellationRequested();
        Check(output.Count <= MaxLines, Diagnostics.TooLarge, template, MaxLines, template.Identifier.Text);
        Log outer = log;
        log = new Log();
        Write(statement);
        if (!frame.IsTemplate)
        {
            outer.Add(log);
        }

        log = outer;
    }

    private void Write(StatementSyntax statement)
    {
        switch (statement)
        {
            case BlockSyntax block:
                Block(block.Statements);
                break;
            case LocalDeclarationStatementSyntax local:
                Local(local);
                break;
            case ExpressionStatementSyntax expression:
                Expression(expression.Expression);
                break;
            case IfStatementSyntax choice:
                If(choice);
                break;
            case ForStatementSyntax loop:
                For(loop);
                break;
            case WhileStatementSyntax loop:
                While(loop);
                break;
            case DoStatementSyntax loop:
                Do(loop);
                break;
            case ForEachStatementSyntax loop:
                ForEach(loop);
                break;
            case SwitchStatementSyntax choice:
                Switch(choice);
                break;
            case ReturnStatementSyntax end:
                Return(end);
                break;
            case BreakStatementSyntax:
                Leave(breakTarget, statement);
                break;
            case ContinueStatementSyntax:
                Leave(continueTarget, statement);
                break;
            case ThrowStatementSyntax failure:
                output.Line(failure.Expression is { } thrown ? $"throw {Value(thrown).Text};" : "throw;");
                break;
            case UnsafeStatementSyntax region:
                Headed("unsafe", region.Block);
                break;
            case CheckedStatementSyntax region:
                Headed(region.Keyword.Text, region.Block);
                break;
            case GotoStatementSyntax or LabeledStatementSyntax:
                Label(statement);
                break;
            case EmptyStatementSyntax:
                break;
            default:
                throw new TemplateException(Diagnostics.NotSupported, statement, $"statements of kind {statement.Kind()}");
        }
    }

    private static void Check(bool holds, DiagnosticDescriptor descriptor, SyntaxNode node, params object?[] arguments)
    {
        if (!holds)
        {
            throw new TemplateException(descriptor, node, arguments);
        }
    }

    /// <summary>Renders an expression that is evaluated conditionally or repeatedly, so that nothing can be put before its statement.</summary>
    private Piece WithoutStatements(string place, Func<Piece> render)
    {
        string? outer = noStatements;
        noStatements = place;
        Piece piece = render();
        noStatements = outer;
        return piece;
    }
}
