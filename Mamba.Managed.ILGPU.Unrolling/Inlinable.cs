using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>The body of an [Inlined] method, and how it uses its parameters.</summary>
internal sealed class Inlinable
{
    private readonly Dictionary<ISymbol, int> uses = new(SymbolEqualityComparer.Default);
    private readonly HashSet<ISymbol> written = new(SymbolEqualityComparer.Default);

    private Inlinable(IMethodSymbol method, Facts facts)
    {
        MethodDeclarationSyntax? declaration = facts.Declaration(method) as MethodDeclarationSyntax;
        Expression = declaration?.ExpressionBody?.Expression;
        Statements = declaration?.Body?.Statements.ToArray() ?? [];
        Fault = declaration is null ? "its source is elsewhere"
            : !method.IsStatic ? "it is not static"
            : declaration.Body is null && Expression is null ? "it has no body"
            : method.Parameters.Any(parameter => parameter.IsParams) ? "it has a params parameter"
            : null;
        if (Fault is null)
        {
            Analyze((SyntaxNode?)declaration!.Body ?? Expression!, facts);
        }
    }

    /// <summary>Why the method cannot be inlined, or null.</summary>
    public string? Fault { get; }

    /// <summary>The body if it is an expression.</summary>
    public ExpressionSyntax? Expression { get; }

    /// <summary>The body if it is a block.</summary>
    public IReadOnlyList<StatementSyntax> Statements { get; }

    /// <summary>The body of a method, or null if it is not marked.</summary>
    public static Inlinable? Of(IMethodSymbol method, Facts facts) => Facts.Has(method, Markers.Inlined) ? new Inlinable(method, facts) : null;

    /// <summary>How often the body names a parameter.</summary>
    public int Uses(IParameterSymbol parameter) => uses.TryGetValue(parameter, out int count) ? count : 0;

    /// <summary>Whether the body assigns a parameter, or passes it by reference.</summary>
    public bool Writes(IParameterSymbol parameter) => written.Contains(parameter);

    private void Analyze(SyntaxNode body, Facts facts)
    {
        foreach (SyntaxNode node in body.DescendantNodesAndSelf())
        {
            if (node is IdentifierNameSyntax && facts.Symbol(node) is IParameterSymbol parameter)
            {
                uses[parameter] = Uses(parameter) + 1;
            }

            ExpressionSyntax? target = node switch
            {
                AssignmentExpressionSyntax assignment => assignment.Left,
                PostfixUnaryExpressionSyntax unary when !unary.IsKind(SyntaxKind.SuppressNullableWarningExpression) => unary.Operand,
                PrefixUnaryExpressionSyntax unary when unary.Kind() is SyntaxKind.PreIncrementExpression or SyntaxKind.PreDecrementExpression
                    or SyntaxKind.AddressOfExpression => unary.Operand,
                ArgumentSyntax argument when !argument.RefKindKeyword.IsKind(SyntaxKind.None) => argument.Expression,
                RefExpressionSyntax reference => reference.Expression,
                InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax callee } =>
                    MayChangeReceiver(callee, facts) ? callee.Expression : null,
                _ => null,
            };
            AddTargets(target, facts);
        }
    }

    private void AddTargets(ExpressionSyntax? target, Facts facts)
    {
        if (target is TupleExpressionSyntax tuple)
        {
            foreach (ArgumentSyntax part in tuple.Arguments)
            {
                AddTargets(part.Expression, facts);
            }
        }
        else if (target is not null && facts.Symbol(Root(target, facts)) is IParameterSymbol parameter)
        {
            written.Add(parameter);
        }
    }

    private static bool MayChangeReceiver(MemberAccessExpressionSyntax callee, Facts facts) =>
        facts.Symbol(callee) is IMethodSymbol { IsStatic: false, IsReadOnly: false }
        && facts.Type(callee.Expression) is { IsValueType: true, IsReadOnly: false };

    private static bool IsStoredInOwner(ISymbol? member) => member is IFieldSymbol or IPropertySymbol { ReturnsByRef: false };

    /// <summary>The variable that changes when a field or element of a struct is written: a of a.b.c.</summary>
    private static ExpressionSyntax Root(ExpressionSyntax target, Facts facts)
    {
        ExpressionSyntax? owner = target switch
        {
            ParenthesizedExpressionSyntax inner => inner.Expression,
            MemberAccessExpressionSyntax access when IsStoredInOwner(facts.Symbol(access)) => access.Expression,
            ElementAccessExpressionSyntax access when IsStoredInOwner(facts.Symbol(access)) => access.Expression,
            _ => null,
        };
        bool isPart = owner is not null && (target is ParenthesizedExpressionSyntax || facts.Type(owner)?.IsValueType == true);
        return isPart ? Root(owner!, facts) : target;
    }
}
