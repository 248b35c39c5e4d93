using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Declarations of locals: constants are remembered, arrays become scalars, variables are written down.</summary>
internal sealed partial class Unroller
{
    private const int ScalarsPerLine = 8;
    private const int MaxElements = 4096;

    private void Local(LocalDeclarationStatementSyntax statement)
    {
        foreach (VariableDeclaratorSyntax variable in statement.Declaration.Variables)
        {
            ILocalSymbol symbol = (ILocalSymbol)facts.Declared(variable)!;
            if (symbol.IsConst && TryConstant(symbol, variable) || TryArray(symbol, variable))
            {
                continue;
            }

            string modifiers = string.Concat(statement.Modifiers.Select(modifier => modifier.Text + " "));
            Variable(statement, variable, symbol, (statement.UsingKeyword.Text + " ").TrimStart() + modifiers);
        }
    }

    private void Variable(LocalDeclarationStatementSyntax statement, VariableDeclaratorSyntax variable, ILocalSymbol symbol, string modifiers)
    {
        string type = TypeName(statement.Declaration.Type);
        if (variable.Initializer is not { } initializer)
        {
            output.Line($"{modifiers}{type} {Declare(variable)};");
            return;
        }

        Piece value = Render(initializer.Value);
        if (value.Array is not null)
        {
            frame.Bind(symbol, value);
            return;
        }

        output.Line($"{modifiers}{type} {Declare(variable)} = {value.Text};");
    }

    /// <summary>Gives a local its name in the generated method: its own in the template, a free one in inlined methods.</summary>
    private string Declare(SyntaxNode declaration)
    {
        ISymbol symbol = facts.Declared(declaration) ?? throw new TemplateException(Diagnostics.NotSupported, declaration, declaration);
        if (frame.IsTemplate)
        {
            names.Declare(symbol.Name);
            return Escaped(symbol.Name);
        }

        string name = Escaped(names.Fresh(symbol.Name));
        frame.Bind(symbol, new Piece(name));
        return name;
    }

    private static string Escaped(string name) => SyntaxFacts.GetKeywordKind(name) == SyntaxKind.None ? name : "@" + name;

    private bool TryConstant(ILocalSymbol symbol, VariableDeclaratorSyntax variable)
    {
        object? value = frame.IsTemplate ? settings.For(symbol) : null;
        value ??= variable.Initializer is { } initializer && Value(initializer.Value).Constant is { } known
            ? Folding.Convert(known, symbol.Type.SpecialType)
            : null;
        if (value is not null)
        {
            frame.Bind(symbol, Piece.Of(value));
        }

        return value is not null;
    }

    private bool TryArray(ILocalSymbol symbol, VariableDeclaratorSyntax variable)
    {
        if (symbol.Type is not IArrayTypeSymbol type || variable.Initializer?.Value is not { } creation)
        {
            return false;
        }

        (bool isArray, IReadOnlyList<ExpressionSyntax>? values, IReadOnlyList<ExpressionSyntax> sizes) = creation switch
        {
            ArrayCreationExpressionSyntax array => (true, array.Initializer?.Expressions.ToArray(), Sizes(array)),
            ImplicitArrayCreationExpressionSyntax array => (true, array.Initializer.Expressions.ToArray(), (IReadOnlyList<ExpressionSyntax>)[]),
            InitializerExpressionSyntax array => (true, array.Expressions.ToArray(), []),
            CollectionExpressionSyntax array when array.Elements.All(element => element is ExpressionElementSyntax) =>
                (true, array.Elements.Select(element => ((ExpressionElementSyntax)element).Expression).ToArray(), []),
            _ => (false, null, []),
        };
        if (isArray)
        {
            Check(values is null || type.Rank == 1, Diagnostics.NotSupported, creation, "initializers of arrays with several dimensions");
            Scalars(symbol, type, values, sizes);
        }

        return isArray;
    }

    private static IReadOnlyList<ExpressionSyntax> Sizes(ArrayCreationExpressionSyntax array) =>
        [.. array.Type.RankSpecifiers[0].Sizes.Where(size => size is not OmittedArraySizeExpressionSyntax)];

    private void Scalars(ILocalSymbol symbol, IArrayTypeSymbol type, IReadOnlyList<ExpressionSyntax>? values, IReadOnlyList<ExpressionSyntax> sizes)
    {
        int[] lengths = sizes.Count > 0 ? [.. sizes.Select(Length)] : [values!.Count];
        string element = Display(type.ElementType);
        string[] pieces = values is null ? [] : [.. values.Select(value => ValueOf(value, type.ElementType))];
        IReadOnlyList<string> scalars = names.FreshFamily(symbol.Name, Suffixes(lengths));
        frame.Bind(symbol, new Piece(symbol.Name, array: new ScalarArray(symbol.Name, lengths, scalars)));
        for (int i = 0; i < scalars.Count; i += ScalarsPerLine)
        {
            IEnumerable<string> line = Enumerable.Range(i, Math.Min(ScalarsPerLine, scalars.Count - i))
                .Select(index => $"{scalars[index]} = {(index < pieces.Length ? pieces[index] : "default")}");
            output.Line($"{element} {string.Join(", ", line)};");
        }
    }

    private string ValueOf(ExpressionSyntax value, ITypeSymbol type)
    {
        int mark = output.Count;
        Piece piece = Value(value);
        Check(output.Count == mark, Diagnostics.NoPlaceForStatements, value, value, "in the initializer of an array");
        return piece.Constant is { } known && Folding.Convert(known, frame.Substitute(type).SpecialType) is { } converted
            ? Literals.Text(converted)
            : piece.Text;
    }

    private int Length(ExpressionSyntax size)
    {
        object value = Known(size, Diagnostics.SizeNotConstant);
        Check(Folding.Convert(value, SpecialType.System_Int32) is >= 0 and <= MaxElements, Diagnostics.SizeNotConstant, size, size);
        return (int)Folding.Convert(value, SpecialType.System_Int32)!;
    }

    /// <summary>The endings of the scalars' names: _0, _1 and so on; _0_0, _0_1 for two dimensions.</summary>
    private static string[] Suffixes(IEnumerable<int> lengths)
    {
        string[] suffixes = [""];
        foreach (int length in lengths)
        {
            suffixes = [.. suffixes.SelectMany(stem => Enumerable.Range(0, length).Select(i => $"{stem}_{i}"))];
        }

        return suffixes;
    }

    private Piece ElementAccess(ElementAccessExpressionSyntax node)
    {
        Operands parts = NewOperands();
        int mark = output.Count;
        Piece receiver = Render(node.Expression);
        SeparatedSyntaxList<ArgumentSyntax> indices = node.ArgumentList.Arguments;
        if (receiver.Array is { } array)
        {
            return new Piece(array.Elements[Index(array, node, indices)]);
        }

        if (indices.Count == 1 && facts.Type(node.Expression) is { } type && facts.FieldsOf(frame.Substitute(type)) is { } fields)
        {
            mark = output.Count;
            Piece index = Value(indices[0].Expression);
            if (index.Constant is not null)
            {
                return new Piece($"{receiver.Text}.{fields[InRange(index.Constant, fields.Count, node, indices[0])]}", touch: receiver.Touch);
            }

            parts.Receiver(receiver);
            parts.Text("[");
            parts.Value(index, mark);
            parts.Text("]");
            return new Piece(parts.ToString(), touch: parts.Touch | Touch.Memory);
        }

        parts.Receiver(receiver);
        Flatten(node.ArgumentList, parts);
        return new Piece(parts.ToString(), touch: parts.Touch | Touch.Memory);
    }

    private int Index(ScalarArray array, ElementAccessExpressionSyntax node, SeparatedSyntaxList<ArgumentSyntax> indices)
    {
        int index = 0;
        for (int i = 0; i < indices.Count; i++)
        {
            object value = Known(indices[i].Expression, Diagnostics.IndexNotConstant, array.Name);
            index = (index * array.Lengths[i]) + InRange(value, array.Lengths[i], node, indices[i]);
        }

        return index;
    }

    private static int InRange(object value, int length, ElementAccessExpressionSyntax node, ArgumentSyntax index)
    {
        bool inside = Folding.Convert(value, SpecialType.System_Int64) is long number && number >= 0 && number < length;
        Check(inside, Diagnostics.IndexOutOfRange, index, value, node.Expression, length - 1);
        return (int)Folding.Convert(value, SpecialType.System_Int32)!;
    }
}
