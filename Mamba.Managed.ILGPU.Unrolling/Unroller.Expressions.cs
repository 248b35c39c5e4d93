using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Expressions: names are replaced by what they stand for, operators of constants are carried out.</summary>
internal sealed partial class Unroller
{
    /// <summary>An expression that is not a local array.</summary>
    private Piece Value(ExpressionSyntax node)
    {
        Piece piece = Render(node);
        Check(piece.Array is null, Diagnostics.ArrayAsWhole, node, piece.Array?.Name ?? "", node.Parent ?? node);
        return piece;
    }

    private Piece Render(ExpressionSyntax node) => node switch
    {
        LiteralExpressionSyntax literal => Literal(literal),
        ParenthesizedExpressionSyntax parenthesized => Parenthesized(parenthesized),
        BinaryExpressionSyntax binary => Binary(binary),
        PrefixUnaryExpressionSyntax unary => Prefix(unary),
        PostfixUnaryExpressionSyntax unary => Postfix(unary),
        ConditionalExpressionSyntax conditional => Conditional(conditional),
        CastExpressionSyntax cast => Cast(cast),
        AssignmentExpressionSyntax assignment => Assignment(assignment),
        ElementAccessExpressionSyntax access => ElementAccess(access),
        InvocationExpressionSyntax call => Invocation(call),
        InterpolatedStringExpressionSyntax text => Interpolated(text),
        MemberAccessExpressionSyntax access => Member(access),
        SimpleNameSyntax name => Name(name),
        NameSyntax or PredefinedTypeSyntax => new Piece(TypeName((TypeSyntax)node)),
        SizeOfExpressionSyntax size => facts.Constant(size) is { } known ? new Piece(size.ToString(), known) : Generic(size),
        AnonymousFunctionExpressionSyntax => WithoutStatements("in a lambda", () => Generic(node)),
        SwitchExpressionSyntax or ConditionalAccessExpressionSyntax =>
            WithoutStatements("in a part that is evaluated conditionally", () => Generic(node)),
        BaseObjectCreationExpressionSyntax when facts.Type(node)?.IsValueType == true => Generic(node),
        BaseObjectCreationExpressionSyntax or StackAllocArrayCreationExpressionSyntax => Generic(node, Touch.Effects),
        _ => Generic(node),
    };

    private static Piece Literal(LiteralExpressionSyntax literal)
    {
        object? value = literal.Token.Value;
        return !Folding.IsKnown(value) ? new Piece(literal.Token.Text)
            : literal.Token.Text.Contains('\n') ? Piece.Of(value!)
            : new Piece(literal.Token.Text, value);
    }

    private Piece Parenthesized(ParenthesizedExpressionSyntax node)
    {
        Piece inner = Render(node.Expression);
        if (IsBracketed(inner.Text))
        {
            return inner;
        }

        return inner.Constant is not null || inner.Array is not null || IsWhole(inner.Text)
            ? new Piece(Fitting(inner.Text, node), inner.Constant, inner.Touch, inner.Array)
            : new Piece($"({inner.Text})", null, inner.Touch);
    }

    /// <summary>An expression put in the place of <paramref name="node"/>, in parentheses where the operators around could tear it apart.</summary>
    private static string Fitting(string text, ExpressionSyntax node)
    {
        bool isSigned = node.Parent is BinaryExpressionSyntax && text.Length > 1 && text[0] == '-' && IsWhole(text.Substring(1));
        return isSigned || IsWhole(text) || Encloses(node.Parent, node) ? text : $"({text})";
    }

    /// <summary>Whether no operator can tear a text apart: names, dots, and what stands in brackets behind them.</summary>
    private static bool IsWhole(string text)
    {
        if (text.StartsWith("\"", StringComparison.Ordinal))
        {
            return text.IndexOf('"', 1) == text.Length - 1;
        }

        int depth = 0;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            depth += c is '(' or '[' ? 1 : c is ')' or ']' ? -1 : 0;
            bool isPart = char.IsLetterOrDigit(c) || c is '_' or '.' or '@' || (i > 0 && c is '(' or ')' or '[' or ']');
            if (depth == 0 && !isPart)
            {
                return false;
            }
        }

        return text.Length > 0 && text[0] != '(';
    }

    /// <summary>Whether one pair of parentheses holds the whole text.</summary>
    private static bool IsBracketed(string text)
    {
        int depth = 0;
        for (int i = 0; i < text.Length; i++)
        {
            depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
            if (depth == 0)
            {
                return i > 0 && i == text.Length - 1;
            }
        }

        return false;
    }

    private static bool Encloses(SyntaxNode? parent, SyntaxNode node) => parent switch
    {
        ArgumentSyntax or EqualsValueClauseSyntax or ParenthesizedExpressionSyntax or ReturnStatementSyntax or ArrowExpressionClauseSyntax
            or InterpolationSyntax or ExpressionStatementSyntax or IfStatementSyntax or InitializerExpressionSyntax => true,
        AssignmentExpressionSyntax assignment => assignment.Right == node,
        _ => false,
    };

    private Operands NewOperands() => new(output, names, log);

    /// <summary>An expression of whatever kind: its tokens stand, its parts are rendered in order.</summary>
    private Piece Generic(SyntaxNode node, Touch touch = Touch.Nothing)
    {
        Operands parts = NewOperands();
        Flatten(node, parts);
        log.Effects |= (touch & Touch.Effects) != 0;
        return new Piece(parts.ToString(), touch: parts.Touch | touch);
    }

    private void Add(Operands parts, ExpressionSyntax node)
    {
        int mark = output.Count;
        Piece piece = Value(node);
        parts.Value(piece, mark);
    }

    private void Flatten(SyntaxNode node, Operands parts)
    {
        foreach (SyntaxNodeOrToken child in node.ChildNodesAndTokens())
        {
            if (child.AsNode() is { } inner)
            {
                FlattenNode(inner, parts);
            }
            else
            {
                parts.Text(child.AsToken().Text);
            }

            bool isGap = child.HasTrailingTrivia && !child.IsKind(SyntaxKind.OpenParenToken) && !child.IsKind(SyntaxKind.OpenBracketToken);
            if (isGap)
            {
                parts.Text(" ");
            }
        }
    }

    private void FlattenNode(SyntaxNode node, Operands parts)
    {
        switch (node)
        {
            case InitializerExpressionSyntax:
                Flatten(node, parts);
                break;
            case AssignmentExpressionSyntax { Parent: InitializerExpressionSyntax, Left: SimpleNameSyntax } member:
                parts.Text($"{member.Left} = ");
                Add(parts, member.Right);
                break;
            case ArgumentSyntax argument when !argument.RefKindKeyword.IsKind(SyntaxKind.None):
                Reference(argument, parts);
                break;
            case OmittedArraySizeExpressionSyntax:
                break;
            case TypeSyntax type when type is not SimpleNameSyntax || facts.Symbol(type) is ITypeSymbol or INamespaceSymbol:
                parts.Text(TypeName(type));
                break;
            case ExpressionSyntax expression:
                Add(parts, expression);
                break;
            case SingleVariableDesignationSyntax or ParameterSyntax { Type: null }:
                parts.Text(Declare(node));
                break;
            case ParameterSyntax parameter:
                parts.Text($"{TypeName(parameter.Type!)} {Declare(parameter)}");
                break;
            case NameColonSyntax or NameEqualsSyntax:
                parts.Text(node.ToString());
                break;
            case StatementSyntax:
                throw new TemplateException(Diagnostics.NotSupported, node, "lambdas with statements");
            default:
                Flatten(node, parts);
                break;
        }
    }

    /// <summary>A <c>ref</c>, <c>out</c> or <c>in</c> argument: a place, which the call may write.</summary>
    private void Reference(ArgumentSyntax argument, Operands parts)
    {
        if (argument.NameColon is { } name)
        {
            parts.Text(name + " ");
        }

        parts.Text(argument.RefKindKeyword.Text + " ");
        if (argument.Expression is DeclarationExpressionSyntax declaration)
        {
            Flatten(declaration, parts);
            return;
        }

        Piece place = Target(argument.Expression);
        Written(place);
        parts.Place(place);
    }
}
