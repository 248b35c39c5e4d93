using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Assignments, and other places that are written.</summary>
internal sealed partial class Unroller
{
    /// <summary>A place that is written, or passed by reference.</summary>
    private Piece Target(ExpressionSyntax node)
    {
        if (node is IdentifierNameSyntax && facts.Symbol(node) is { } symbol && frame.TryGet(symbol, out Piece bound))
        {
            Check(bound.Constant is null, Diagnostics.ConstantAssigned, node, node);
        }

        return Value(node);
    }

    /// <summary>Takes down that a place is written.</summary>
    private void Written(Piece place)
    {
        foreach (string word in Log.Words(place.Text).Take(1))
        {
            log.Writes.Add(word);
        }

        log.Effects |= place.Touch != Touch.Nothing;
    }

    private Piece Assignment(AssignmentExpressionSyntax node)
    {
        Operands parts = NewOperands();
        if (node.Left is TupleExpressionSyntax or DeclarationExpressionSyntax)
        {
            Flatten(node.Left, parts);
            log.Writes.UnionWith(Log.Words(parts.ToString()));
        }
        else
        {
            TargetParts(node.Left, parts);
        }

        int end = parts.Count;
        int mark = output.Count;
        Piece right = node.IsKind(SyntaxKind.CoalesceAssignmentExpression)
            ? WithoutStatements("after ??=", () => Value(node.Right))
            : Value(node.Right);
        bool isDisturbed = output.Count > mark;
        mark = parts.KeepOrder(mark);
        Piece place = new(parts.ToString(0, end), touch: parts.Touch);
        bool isMoved = isDisturbed && end == 1 && place.Touch != Touch.Nothing && log.Moves(place);
        Check(!isMoved, Diagnostics.NoPlaceForStatements, node.Right, node.Right, "after a place that its statements could change");
        bool isCompound = !node.IsKind(SyntaxKind.SimpleAssignmentExpression);
        string text = isCompound && isDisturbed && log.Disturbs(place)
            ? ReadBefore(node, place, right, mark)
            : $"{place.Text} {node.OperatorToken.Text} {right.Text}";
        Written(place);
        return new Piece(text, touch: place.Touch | right.Touch | Touch.Effects);
    }

    /// <summary>A compound assignment whose right side changes the place: C# reads the place first.</summary>
    private string ReadBefore(AssignmentExpressionSyntax node, Piece place, Piece right, int mark)
    {
        string old = names.Fresh("value");
        output.Insert(mark, $"var {old} = {place.Text};");
        string operation = node.OperatorToken.Text.Substring(0, node.OperatorToken.Text.Length - 1);
        string type = facts.Type(node.Left) is { } known ? $"({Display(known)})" : "";
        return $"{place.Text} = {type}({old} {operation} {Bracketed(right)})";
    }

    private static string Bracketed(Piece piece) => piece.Constant is not null || piece.IsLocal ? piece.Text : $"({piece.Text})";

    /// <summary>The parts of a written place; of an element its indices are values, which C# evaluates before the right side.</summary>
    private void TargetParts(ExpressionSyntax node, Operands parts)
    {
        bool isScalar = node is ElementAccessExpressionSyntax element
            && ((facts.Type(element.Expression) is { } type && facts.FieldsOf(frame.Substitute(type)) is not null)
                || (facts.Symbol(element.Expression) is { } array && frame.TryGet(array, out Piece bound) && bound.Array is not null));
        if (node is ElementAccessExpressionSyntax access && !isScalar)
        {
            Piece receiver = Value(access.Expression);
            parts.Receiver(new Piece(receiver.Text, touch: receiver.Touch | Touch.Memory));
            Flatten(access.ArgumentList, parts);
        }
        else
        {
            parts.Place(Target(node));
        }
    }

    private static SyntaxKind OperatorOf(SyntaxKind assignment) => assignment switch
    {
        SyntaxKind.AddAssignmentExpression => SyntaxKind.AddExpression,
        SyntaxKind.SubtractAssignmentExpression => SyntaxKind.SubtractExpression,
        SyntaxKind.MultiplyAssignmentExpression => SyntaxKind.MultiplyExpression,
        SyntaxKind.DivideAssignmentExpression => SyntaxKind.DivideExpression,
        SyntaxKind.ModuloAssignmentExpression => SyntaxKind.ModuloExpression,
        SyntaxKind.LeftShiftAssignmentExpression => SyntaxKind.LeftShiftExpression,
        SyntaxKind.RightShiftAssignmentExpression => SyntaxKind.RightShiftExpression,
        SyntaxKind.AndAssignmentExpression => SyntaxKind.BitwiseAndExpression,
        SyntaxKind.OrAssignmentExpression => SyntaxKind.BitwiseOrExpression,
        SyntaxKind.ExclusiveOrAssignmentExpression => SyntaxKind.ExclusiveOrExpression,
        _ => SyntaxKind.None,
    };
}
