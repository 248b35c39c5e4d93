using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Names of variables, members and types, and what they stand for in the generated method.</summary>
internal sealed partial class Unroller
{
    private Piece Name(SimpleNameSyntax node)
    {
        ISymbol? symbol = facts.Symbol(node);
        switch (symbol)
        {
            case ILocalSymbol or IParameterSymbol:
                return frame.TryGet(symbol, out Piece bound)
                    ? new Piece(IsOperand(bound) ? bound.Text : Fitting(bound.Text, node), bound.Constant, bound.Touch, bound.Array)
                    : new Piece(node.Identifier.Text);
            case IFieldSymbol { IsConst: true } field:
                return ConstField(field, () => Qualified(field, node));
            case ITypeSymbol:
                return new Piece(TypeName(node));
            case IFieldSymbol or IPropertySymbol or IEventSymbol:
                return new Piece(Qualified(symbol, node), touch: Touch.Memory);
            case IMethodSymbol:
                return new Piece(Qualified(symbol, node));
            case INamespaceSymbol when !frame.IsTemplate:
                return new Piece(symbol.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat));
            default:
                return new Piece(node.ToString());
        }
    }

    /// <summary>Numbers stand as they are next to binary operators, signed or not.</summary>
    private static bool IsOperand(Piece piece) => piece.Array is not null || (piece.Constant is not null && piece.Text[0] is not '-' and not '(');

    /// <summary>The name of a member as the generated method can use it: members of other classes are named with their class.</summary>
    private string Qualified(ISymbol member, SimpleNameSyntax node)
    {
        string name = node is GenericNameSyntax generic ? WithTypeArguments(generic) : node.Identifier.Text;
        if (frame.IsTemplate || !member.IsStatic || member.ContainingType is null || IsNamedByOwner(node))
        {
            return name;
        }

        Check(facts.IsAccessible(member), Diagnostics.NotAccessible, node, member, facts.Home);
        return $"{Display(member.ContainingType)}.{name}";
    }

    private string WithTypeArguments(GenericNameSyntax generic) =>
        $"{generic.Identifier.Text}<{string.Join(", ", generic.TypeArgumentList.Arguments.Select(TypeName))}>";

    /// <summary>Whether the name is the last of a dotted one.</summary>
    private static bool IsNamedByOwner(SimpleNameSyntax node) =>
        (node.Parent is MemberAccessExpressionSyntax access && access.Name == node) || node.Parent is MemberBindingExpressionSyntax;

    /// <summary>A const field: its name where that means the same in the generated method, else its value.</summary>
    private Piece ConstField(IFieldSymbol field, Func<string> name)
    {
        object? value = FieldValue(field);
        if (!Folding.IsKnown(value) || field.ContainingType.TypeKind == TypeKind.Enum)
        {
            return new Piece(name());
        }

        bool isName = Equals(value, field.ConstantValue) && (frame.IsTemplate || facts.IsAccessible(field));
        return isName ? new Piece(name(), value) : Piece.Of(value!);
    }

    private object? FieldValue(IFieldSymbol field)
    {
        if (!settings.TouchFields)
        {
            return field.ConstantValue;
        }

        if (!fieldValues.TryGetValue(field, out object? value))
        {
            fieldValues[field] = value = settings.For(field, facts.Home) ?? Computed(field);
        }

        return value;
    }

    /// <summary>The value of a const field, computed anew: other fields that it depends on may have other values in this variant.</summary>
    private object? Computed(IFieldSymbol field) =>
        facts.Declaration(field) is VariableDeclaratorSyntax { Initializer.Value: { } initial } && Render(initial).Constant is { } known
            ? Folding.Convert(known, field.Type.SpecialType)
            : field.ConstantValue;

    private Piece Member(MemberAccessExpressionSyntax node)
    {
        ISymbol? symbol = facts.Symbol(node);
        if (symbol is ITypeSymbol)
        {
            return new Piece(TypeName(node));
        }

        if (symbol is IMethodSymbol or INamespaceSymbol)
        {
            Piece owner = Value(node.Expression);
            return new Piece($"{owner.Text}.{MemberName(node)}", touch: owner.Touch);
        }

        Piece receiver = Render(node.Expression);
        if (receiver.Array is { } array)
        {
            object? count = node.Name.Identifier.Text switch
            {
                "Length" => array.Elements.Count,
                "Rank" => array.Lengths.Count,
                _ => (object?)null,
            };
            Check(count is not null, Diagnostics.ArrayAsWhole, node, array.Name, node);
            return Piece.Of(count!);
        }

        string text = $"{receiver.Text}.{MemberName(node)}";
        if (symbol is IFieldSymbol { IsConst: true } constant)
        {
            return ConstField(constant, () => text);
        }

        bool isReachable = frame.IsTemplate || symbol is null || facts.IsAccessible(symbol);
        Check(isReachable, Diagnostics.NotAccessible, node, node, facts.Home);
        bool isPart = symbol is IFieldSymbol { IsStatic: false } && facts.Type(node.Expression)?.IsValueType == true;
        return new Piece(text, touch: receiver.Touch | (isPart ? Touch.Nothing : Touch.Memory));
    }

    private string MemberName(MemberAccessExpressionSyntax node) =>
        node.Name is GenericNameSyntax generic ? WithTypeArguments(generic) : node.Name.Identifier.Text;

    /// <summary>A type as the generated method can name it.</summary>
    private string TypeName(ExpressionSyntax node)
    {
        if (frame.IsTemplate || (node is TypeSyntax { IsVar: true } && facts.Symbol(node) is not ITypeSymbol { Name: "var" }))
        {
            return TypeText(node);
        }

        ITypeSymbol? type = facts.Symbol(node) as ITypeSymbol ?? facts.Type(node);
        if (type is null || type.TypeKind == TypeKind.Error || node is RefTypeSyntax or ArrayTypeSyntax or PointerTypeSyntax or TupleTypeSyntax)
        {
            return TypeText(node);
        }

        Check(facts.IsAccessible(type), Diagnostics.NotAccessible, node, type, facts.Home);
        return Display(type);
    }

    private string TypeText(ExpressionSyntax node) =>
        node is RefTypeSyntax or ArrayTypeSyntax or PointerTypeSyntax or TupleTypeSyntax ? Generic(node).Text : node.ToString();

    private string Display(ITypeSymbol type) => Display(frame, type);

    private string Display(Frame context, ITypeSymbol type) => facts.Display(context.Substitute(type));
}
