using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>
/// The arguments of inlined calls: evaluated in the order of the call, then put in the place of the parameters where that changes nothing.
/// </summary>
internal sealed partial class Unroller
{
    private Arguments Evaluate(InvocationExpressionSyntax call, IMethodSymbol method, IMethodSymbol definition)
    {
        Arguments arguments = new(NewOperands());
        int position = 0;
        if (method.ReducedFrom is not null)
        {
            ExpressionSyntax receiver = ((MemberAccessExpressionSyntax)call.Expression).Expression;
            Evaluate(arguments, definition.Parameters[position++], receiver, definition.Parameters[0].RefKind == RefKind.Ref);
        }

        foreach (ArgumentSyntax argument in call.ArgumentList.Arguments)
        {
            IParameterSymbol parameter = argument.NameColon is { } name
                ? definition.Parameters.Single(candidate => candidate.Name == name.Name.Identifier.ValueText)
                : definition.Parameters[position];
            position++;
            bool isPlace = argument.RefKindKeyword.Kind() is SyntaxKind.RefKeyword or SyntaxKind.OutKeyword;
            Evaluate(arguments, parameter, argument.Expression, isPlace);
        }

        return arguments;
    }

    private void Evaluate(Arguments arguments, IParameterSymbol parameter, ExpressionSyntax expression, bool isPlace)
    {
        int mark = output.Count;
        if (!isPlace)
        {
            arguments.Parts.Value(Render(expression), mark);
        }
        else
        {
            Piece place = expression is DeclarationExpressionSyntax declaration ? Declared(declaration)
                : facts.Symbol(expression) is IDiscardSymbol ? Declared(expression, names.Fresh(parameter.Name))
                : Target(expression);
            Check((place.Touch & Touch.Effects) == 0, Diagnostics.NotSupported, expression, "references computed with side effects");
            Written(place);
            arguments.Parts.KeepOrder(mark);
            arguments.Parts.Place(place);
        }

        arguments.Given.Add((parameter, expression, isPlace));
    }

    /// <summary>Declares the variable of <c>out float x</c> before the statement.</summary>
    private Piece Declared(DeclarationExpressionSyntax declaration) =>
        Declared(declaration, declaration.Designation is SingleVariableDesignationSyntax variable ? Declare(variable) : names.Fresh("discard"));

    private Piece Declared(ExpressionSyntax expression, string name)
    {
        Before(expression, $"{Display(facts.Type(expression)!)} {name};");
        return new Piece(name);
    }

    /// <summary>Puts a line before the statement at hand.</summary>
    private void Before(SyntaxNode node, string line)
    {
        Check(noStatements is null, Diagnostics.NoPlaceForStatements, node, node, noStatements ?? "");
        output.Line(line);
    }

    private void Bind(Frame callee, Inlinable body, Arguments arguments, InvocationExpressionSyntax call)
    {
        for (int i = 0; i < arguments.Given.Count; i++)
        {
            (IParameterSymbol parameter, ExpressionSyntax expression, bool isPlace) = arguments.Given[i];
            Piece piece = arguments.Parts[i];
            bool isSubstituted = isPlace || CanSubstitute(callee, body, parameter, expression, piece, arguments);
            callee.Bind(parameter, isSubstituted ? AsParameter(callee, parameter, piece) : Copied(callee, parameter, piece, call));
        }

        foreach (IParameterSymbol parameter in callee.Method.Parameters.Where(parameter => !callee.TryGet(parameter, out _)))
        {
            object? value = parameter.ExplicitDefaultValue;
            Piece piece = Folding.IsKnown(value) ? Piece.Of(value!) : new Piece("default");
            bool isConstant = piece.Constant is not null && !body.Writes(parameter) && IsConstantOf(callee, parameter, piece);
            callee.Bind(parameter, isConstant ? AsParameter(callee, parameter, piece) : Copied(callee, parameter, piece, call));
        }
    }

    private bool CanSubstitute(Frame callee, Inlinable body, IParameterSymbol parameter, ExpressionSyntax expression, Piece piece,
        Arguments arguments)
    {
        if (piece.Array is not null)
        {
            bool isArray = !body.Writes(parameter) && parameter.Type is IArrayTypeSymbol;
            Check(isArray, Diagnostics.ArrayAsWhole, expression, piece.Array.Name, expression.Parent);
            return true;
        }

        if (body.Writes(parameter))
        {
            return false;
        }

        if (piece.Constant is not null)
        {
            return IsConstantOf(callee, parameter, piece);
        }

        bool sameType = facts.Type(expression) is { } type
            && SymbolEqualityComparer.Default.Equals(frame.Substitute(type), callee.Substitute(parameter.Type));
        bool isFixed = sameType && facts.Constant(expression) is not null;
        bool isCheap = piece.IsLocal || (body.Expression is not null && (noStatements is not null || body.Uses(parameter) <= 1));
        bool isPure = piece.Touch == Touch.Nothing || (noStatements is not null && piece.Touch == Touch.Memory && body.Expression is not null);
        bool isSubstituted = isFixed || (sameType && isCheap && isPure && !log.Disturbs(piece) && !arguments.Shares(piece));
        callee.ReadsMemory |= isSubstituted && piece.Touch != Touch.Nothing;
        return isSubstituted;
    }

    private static bool IsConstantOf(Frame callee, IParameterSymbol parameter, Piece piece) =>
        Folding.Convert(piece.Constant!, callee.Substitute(parameter.Type).SpecialType) is not null;

    private static Piece AsParameter(Frame callee, IParameterSymbol parameter, Piece piece) =>
        piece.Constant is { } value ? Piece.Of(Folding.Convert(value, callee.Substitute(parameter.Type).SpecialType)!) : piece;

    private Piece Copied(Frame callee, IParameterSymbol parameter, Piece piece, InvocationExpressionSyntax call)
    {
        string name = Escaped(names.Fresh(parameter.Name));
        Before(call, $"{facts.Display(callee.Substitute(parameter.Type))} {name} = {piece.Text};");
        return new Piece(name);
    }

    /// <summary>What a call passes: the parameters that are given, and their values in the same order.</summary>
    private sealed class Arguments(Operands parts)
    {
        public Operands Parts { get; } = parts;

        public List<(IParameterSymbol Parameter, ExpressionSyntax Expression, bool IsPlace)> Given { get; } = [];

        /// <summary>Whether a value reads elements of an array that is passed, too.</summary>
        public bool Shares(Piece piece) => Enumerable.Range(0, Parts.Count).Select(i => Parts[i].Array).OfType<ScalarArray>()
            .Any(array => Log.Words(piece.Text).Any(array.Elements.Contains));
    }
}
