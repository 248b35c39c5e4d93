using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Operators, conversions, assignments and texts.</summary>
internal sealed partial class Unroller
{
    private Piece Binary(BinaryExpressionSyntax node) => node.Kind() switch
    {
        SyntaxKind.LogicalAndExpression => Logical(node, decisive: false),
        SyntaxKind.LogicalOrExpression => Logical(node, decisive: true),
        SyntaxKind.CoalesceExpression => WithoutStatements("after ??", () => Generic(node)),
        SyntaxKind.IsExpression or SyntaxKind.AsExpression => Generic(node),
        _ => Arithmetic(node),
    };

    /// <summary>&amp;&amp; and ||: a constant left side decides whether the right side is evaluated.</summary>
    private Piece Logical(BinaryExpressionSyntax node, bool decisive)
    {
        Piece left = Value(node.Left);
        if (left.Constant is bool known)
        {
            return known == decisive ? Piece.Of(decisive) : Value(node.Right);
        }

        Piece right = WithoutStatements($"after {node.OperatorToken.Text}", () => Value(node.Right));
        return right.Constant is bool value && value != decisive ? left
            : right.Constant is not null && left.Touch == Touch.Nothing ? Piece.Of(decisive)
            : new Piece($"{left.Text} {node.OperatorToken.Text} {right.Text}", touch: left.Touch | right.Touch);
    }

    private Piece Arithmetic(BinaryExpressionSyntax node)
    {
        Operands parts = NewOperands();
        Add(parts, node.Left);
        parts.Text($" {node.OperatorToken.Text} ");
        Add(parts, node.Right);
        (Piece left, Piece right) = (parts[0], parts[2]);
        if (left.Constant is { } a && right.Constant is { } b && Fold(node.Kind(), a, b, node) is { } value)
        {
            return Piece.Of(AsTyped(value, facts.Type(node)));
        }

        return WithoutNeutral(node, left, right)
            ?? new Piece(KeepsType(node, left, right) ?? parts.ToString(), touch: parts.Touch);
    }

    /// <summary>The other operand of an integer operation that a zero or a one leaves as it is.</summary>
    private Piece? WithoutNeutral(BinaryExpressionSyntax node, Piece left, Piece right)
    {
        SyntaxKind kind = node.Kind();
        bool isSum = kind is SyntaxKind.AddExpression or SyntaxKind.BitwiseOrExpression or SyntaxKind.ExclusiveOrExpression;
        bool isProduct = kind == SyntaxKind.MultiplyExpression;
        bool isNeutralRight = Folding.IsInteger(right.Constant, isProduct || kind == SyntaxKind.DivideExpression ? 1 : 0)
            && (isSum || isProduct || IsShift(kind) || kind is SyntaxKind.SubtractExpression or SyntaxKind.DivideExpression);
        bool isNeutralLeft = (isSum || isProduct) && Folding.IsInteger(left.Constant, isProduct ? 1 : 0);
        return isNeutralRight && HasTypeOf(node, node.Left) ? left
            : isNeutralLeft && HasTypeOf(node, node.Right) ? right
            : null;
    }

    private bool HasTypeOf(BinaryExpressionSyntax node, ExpressionSyntax operand) =>
        facts.Type(node) is { SpecialType: >= SpecialType.System_Int32 and <= SpecialType.System_UInt64 } type
        && SymbolEqualityComparer.Default.Equals(type, facts.Type(operand));

    /// <summary>
    /// An int variable with a uint gives a long, but an int constant with a uint gives a uint. So that an unrolled variable keeps the type of the
    /// operation, its value is written as a long.
    /// </summary>
    private string? KeepsType(BinaryExpressionSyntax node, Piece left, Piece right)
    {
        if (left.Constant is int a && IsUnsigned(node.Right) && facts.Constant(node.Left) is null)
        {
            return $"{Literals.Text((long)a)} {node.OperatorToken.Text} {right.Text}";
        }

        return right.Constant is int b && IsUnsigned(node.Left) && facts.Constant(node.Right) is null && !IsShift(node.Kind())
            ? $"{left.Text} {node.OperatorToken.Text} {Literals.Text((long)b)}"
            : null;
    }

    private bool IsUnsigned(ExpressionSyntax node) => facts.Type(node)?.SpecialType == SpecialType.System_UInt32;

    private static bool IsShift(SyntaxKind kind) =>
        kind is SyntaxKind.LeftShiftExpression or SyntaxKind.RightShiftExpression or SyntaxKind.UnsignedRightShiftExpression;

    private static object? Fold(SyntaxKind kind, object left, object right, SyntaxNode node)
    {
        try
        {
            return Folding.Binary(kind, left, right);
        }
        catch (DivideByZeroException)
        {
            throw new TemplateException(Diagnostics.DivisionByZero, node, node);
        }
    }

    /// <summary>The value in the type that the compiler gives to the expression.</summary>
    private object AsTyped(object value, ITypeSymbol? type) =>
        type is null ? value : Folding.Convert(value, frame.Substitute(type).SpecialType) ?? value;

    private Piece Prefix(PrefixUnaryExpressionSyntax node)
    {
        if (node.Kind() is SyntaxKind.PreIncrementExpression or SyntaxKind.PreDecrementExpression)
        {
            Piece place = Target(node.Operand);
            Written(place);
            return new Piece(node.OperatorToken.Text + place.Text, touch: place.Touch | Touch.Effects);
        }

        if (node.IsKind(SyntaxKind.AddressOfExpression))
        {
            Piece place = Target(node.Operand);
            Written(place);
            return new Piece("&" + place.Text, touch: place.Touch);
        }

        Piece operand = Value(node.Operand);
        if (operand.Constant is { } value && Folding.Unary(node.Kind(), value) is { } result)
        {
            return Piece.Of(AsTyped(result, facts.Type(node)));
        }

        bool isMemory = node.IsKind(SyntaxKind.PointerIndirectionExpression);
        return new Piece(node.OperatorToken.Text + operand.Text, touch: operand.Touch | (isMemory ? Touch.Memory : Touch.Nothing));
    }

    private Piece Postfix(PostfixUnaryExpressionSyntax node)
    {
        if (node.IsKind(SyntaxKind.SuppressNullableWarningExpression))
        {
            Piece operand = Value(node.Operand);
            return new Piece(operand.Text + "!", touch: operand.Touch);
        }

        Piece place = Target(node.Operand);
        Written(place);
        return new Piece(place.Text + node.OperatorToken.Text, touch: place.Touch | Touch.Effects);
    }

    private Piece Conditional(ConditionalExpressionSyntax node)
    {
        Operands parts = NewOperands();
        Add(parts, node.Condition);
        if (parts[0].Constant is bool known)
        {
            ExpressionSyntax taken = known ? node.WhenTrue : node.WhenFalse;
            return Converted(Render(taken), NaturalType(taken), facts.Type(node));
        }

        Piece whenTrue = WithoutStatements("in a branch of a conditional expression", () => Value(node.WhenTrue));
        Piece whenFalse = WithoutStatements("in a branch of a conditional expression", () => Value(node.WhenFalse));
        return new Piece($"{parts[0].Text} ? {whenTrue.Text} : {whenFalse.Text}", touch: parts.Touch | whenTrue.Touch | whenFalse.Touch);
    }

    /// <summary>The type that an expression has by itself: none for default and new(), which take it from their place.</summary>
    private ITypeSymbol? NaturalType(ExpressionSyntax node) =>
        node.IsKind(SyntaxKind.DefaultLiteralExpression) || node is ImplicitObjectCreationExpressionSyntax ? null : facts.Type(node);

    /// <summary>A value that now stands without the conversion which its place gave it.</summary>
    private Piece Converted(Piece piece, ITypeSymbol? from, ITypeSymbol? to)
    {
        if (to is null || piece.Array is not null)
        {
            return piece;
        }

        ITypeSymbol target = frame.Substitute(to);
        if (from is not null && SymbolEqualityComparer.Default.Equals(frame.Substitute(from), target))
        {
            return piece;
        }

        return piece.Constant is { } known && Folding.Convert(known, target.SpecialType) is { } converted
            ? Piece.Of(converted)
            : new Piece($"({facts.Display(target)})({piece.Text})", touch: piece.Touch);
    }

    private Piece Cast(CastExpressionSyntax node)
    {
        Piece operand = Value(node.Expression);
        if (operand.Constant is { } value && facts.Type(node.Type) is { } type
            && Folding.Convert(value, frame.Substitute(type).SpecialType) is { } converted)
        {
            return new Piece(Fitting(Literals.Text(converted), node), converted);
        }

        string text = operand.Text.Length > 0 && operand.Text[0] == '-' ? $"({operand.Text})" : operand.Text;
        return new Piece($"({TypeName(node.Type)}){text}", touch: operand.Touch);
    }
}
