using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>
/// Calls of [Inlined] methods. An expression is put in the place of the call; statements are put before the statement of the call, in a block of
/// their own that leaves its result in a local.
/// </summary>
internal sealed partial class Unroller
{
    private static IMethodSymbol Definition(IMethodSymbol method) => (method.ReducedFrom ?? method).OriginalDefinition;

    private IMethodSymbol? InlinedMethod(InvocationExpressionSyntax call) =>
        facts.Symbol(call) is IMethodSymbol method && facts.Inlined(Definition(method)) is not null ? method : null;

    private Piece Inline(InvocationExpressionSyntax call, IMethodSymbol method)
    {
        IMethodSymbol definition = Definition(method);
        Inlinable body = facts.Inlined(definition)!;
        Check(body.Fault is null, Diagnostics.NotInlinable, call, definition, body.Fault ?? "");
        Check(!frame.Contains(definition), Diagnostics.Recursion, call, definition);
        Frame callee = new(definition, frame, facts.Compilation);
        BindTypes(callee, method, definition);
        Arguments arguments = Evaluate(call, method, definition);
        return definition.ReturnsVoid || body.Expression is null
            ? InlineBlock(call, callee, body, arguments)
            : InlineExpression(call, callee, body, arguments);
    }

    private void BindTypes(Frame callee, IMethodSymbol method, IMethodSymbol definition)
    {
        // A reduced extension method has lost the type parameters that its receiver settles.
        IMethodSymbol constructed = method.ReducedFrom is null ? method : method.GetConstructedReducedFrom() ?? method;
        for (int i = 0; i < definition.TypeParameters.Length; i++)
        {
            callee.BindType(definition.TypeParameters[i], frame.Substitute(constructed.TypeArguments[i]));
        }

        for (INamedTypeSymbol? type = method.ContainingType; type is not null; type = type.ContainingType)
        {
            for (int i = 0; i < type.TypeParameters.Length; i++)
            {
                callee.BindType(type.OriginalDefinition.TypeParameters[i], frame.Substitute(type.TypeArguments[i]));
            }
        }
    }

    private Piece InlineExpression(InvocationExpressionSyntax call, Frame callee, Inlinable body, Arguments arguments)
    {
        Bind(callee, body, arguments, call);
        (Frame caller, frame) = (frame, callee);
        Piece value = Converted(Value(body.Expression!), NaturalType(body.Expression!), callee.Method.ReturnType);
        frame = caller;
        bool isOrdered = !callee.ReadsMemory || (value.Touch & Touch.Effects) == 0;
        Check(isOrdered, Diagnostics.NoPlaceForStatements, call, callee.Method, noStatements ?? "");
        string text = value.Constant is null ? Fitting(value.Text, call) : value.Text;
        return new Piece(text, value.Constant, value.Touch);
    }

    private Piece InlineBlock(InvocationExpressionSyntax call, Frame callee, Inlinable body, Arguments arguments)
    {
        string? place = noStatements;
        (Jump outerBreak, Jump outerContinue) = (breakTarget, continueTarget);
        callee.ResultName = callee.Method.ReturnsVoid ? null : names.Fresh(ResultName(callee.Method.Name));
        int start = output.Count;
        output.Open();
        names.Enter();
        Bind(callee, body, arguments, call);
        (Frame caller, frame, noStatements, breakTarget, continueTarget) = (frame, callee, null, Jump.Outside, Jump.Outside);
        callee.IsEmptySoFar = () => output.Count == start + 1;
        Run(body);
        (frame, noStatements, breakTarget, continueTarget) = (caller, place, outerBreak, outerContinue);
        output.Close();
        DropBraces(start, longestBare: int.MaxValue);
        Check(place is null || output.Count == start, Diagnostics.NoPlaceForStatements, call, callee.Method, place ?? "");
        Piece result = callee.Result ?? default;
        if (callee.ResultName is { } name && result.Text == name)
        {
            output.Insert(start, $"{facts.Display(callee.Substitute(callee.Method.ReturnType))} {name};");
        }
        else if (callee.ResultName is not null)
        {
            names.Release(callee.ResultName);
        }

        return callee.Result is null || result.Constant is not null ? result : new Piece(Fitting(result.Text, call), touch: result.Touch);
    }

    private void Run(Inlinable body)
    {
        if (body.Expression is { } expression)
        {
            Expression(expression);
        }
        else
        {
            Statements(body.Statements);
        }
    }

    private void ReturnInlined(ReturnStatementSyntax end)
    {
        Check(frame.Nesting == 0, Diagnostics.NotInlinable, end, frame.Method, "it returns inside a loop or condition");
        if (end.Expression is { } expression)
        {
            Piece value = Converted(Value(expression), NaturalType(expression), frame.Method.ReturnType);
            bool standsAlone = value.Constant is not null || frame.IsEmptySoFar!();
            if (!standsAlone)
            {
                output.Line($"{frame.ResultName} = {value.Text};");
            }

            frame.Result = standsAlone ? value : new Piece(frame.ResultName!);
        }

        frame.Returned = true;
    }

    /// <summary>A local for the result is called as the method is: dot for Dot.</summary>
    private static string ResultName(string method) => Escaped(char.ToLowerInvariant(method[0]) + method.Substring(1));
}
