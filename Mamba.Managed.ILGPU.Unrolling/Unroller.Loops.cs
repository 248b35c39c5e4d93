using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Loops: those that are marked are carried out, others written down.</summary>
internal sealed partial class Unroller
{
    private const int MaxTrips = 4096;

    private void For(ForStatementSyntax loop)
    {
        if (loop.Declaration is { } declaration && declaration.Variables.Any(variable => facts.IsLoopStart(variable.Initializer?.Value)))
        {
            bool isPlain = declaration.Variables.Count == 1 && loop.Condition is not null && loop.Incrementors.Count == 1;
            Check(isPlain, Diagnostics.MisplacedStart, declaration, declaration);
            Unroll(loop, declaration.Variables[0]);
        }
        else
        {
            Rolled(loop);
        }
    }

    private void Unroll(ForStatementSyntax loop, VariableDeclaratorSyntax declarator)
    {
        ILocalSymbol variable = (ILocalSymbol)facts.Declared(declarator)!;
        ExpressionSyntax start = ((InvocationExpressionSyntax)declarator.Initializer!.Value).ArgumentList.Arguments[0].Expression;
        object value = Bound(start, variable);
        (Jump outerBreak, Jump outerContinue) = (breakTarget, continueTarget);
        (breakTarget, continueTarget) = (Jump.Unrolled, Jump.Unrolled);
        frame.Nesting++;
        unrolling++;
        for (int trips = 0; ; trips++)
        {
            frame.Bind(variable, Piece.Of(value));
            object condition = Known(loop.Condition!, Diagnostics.LoopNotConstant);
            if (condition is not true)
            {
                break;
            }

            Check(trips < MaxTrips, Diagnostics.TooManyTrips, loop.Condition!, MaxTrips, loop.Condition);
            Copy(loop.Statement, longestBare: 1);
            value = Step(loop.Incrementors[0], variable, value);
        }

        unrolling--;
        frame.Nesting--;
        (breakTarget, continueTarget) = (outerBreak, outerContinue);
    }

    /// <summary>The value of the variable after one step of the loop.</summary>
    private object Step(ExpressionSyntax step, ILocalSymbol variable, object value)
    {
        (ExpressionSyntax? target, object? next) = step switch
        {
            PrefixUnaryExpressionSyntax unary => (unary.Operand, Stepped(unary.Kind(), value)),
            PostfixUnaryExpressionSyntax unary => (unary.Operand, Stepped(unary.Kind(), value)),
            AssignmentExpressionSyntax { RawKind: (int)SyntaxKind.SimpleAssignmentExpression } assignment =>
                (assignment.Left, Known(assignment.Right, Diagnostics.LoopNotConstant)),
            AssignmentExpressionSyntax assignment =>
                (assignment.Left, Fold(OperatorOf(assignment.Kind()), value, Known(assignment.Right, Diagnostics.LoopNotConstant), step)),
            _ => ((ExpressionSyntax?)null, (object?)null),
        };
        bool steps = target is not null && SymbolEqualityComparer.Default.Equals(facts.Symbol(target), variable);
        Check(steps && next is not null, Diagnostics.LoopNotConstant, step, step);
        return Folding.Convert(next!, variable.Type.SpecialType)!;
    }

    private static object? Stepped(SyntaxKind kind, object value) => kind switch
    {
        SyntaxKind.PreIncrementExpression or SyntaxKind.PostIncrementExpression => Folding.Binary(SyntaxKind.AddExpression, value, 1),
        SyntaxKind.PreDecrementExpression or SyntaxKind.PostDecrementExpression => Folding.Binary(SyntaxKind.SubtractExpression, value, 1),
        _ => null,
    };

    private object Bound(ExpressionSyntax start, ILocalSymbol variable)
    {
        object value = Known(start, Diagnostics.LoopNotConstant);
        object? converted = Folding.Convert(value, variable.Type.SpecialType);
        Check(converted is not null, Diagnostics.LoopNotConstant, start, start);
        return converted!;
    }

    /// <summary>The value of an expression that must be constant here.</summary>
    private object Known(ExpressionSyntax expression, DiagnosticDescriptor otherwise, params object?[] arguments)
    {
        Piece piece = WithoutStatements("where a constant is needed", () => Render(expression));
        Check(piece.Constant is not null, otherwise, expression, [.. arguments, expression]);
        return piece.Constant!;
    }

    private void Rolled(ForStatementSyntax loop)
    {
        string[] values = loop.Declaration is { } declared
            ? [.. declared.Variables.Select(variable => variable.Initializer is { } initializer ? " = " + Value(initializer.Value).Text : "")]
            : [.. loop.Initializers.Select(expression => Value(expression).Text)];
        names.Enter();
        string start = loop.Declaration is { } declaration
            ? $"{TypeName(declaration.Type)} {string.Join(", ", declaration.Variables.Select((variable, i) => Declare(variable) + values[i]))}"
            : string.Join(", ", values);
        string condition = loop.Condition is { } test ? Repeated(test) : "";
        string steps = string.Join(", ", loop.Incrementors.Select(Repeated));
        Body($"for ({start}; {condition}; {steps})", loop.Statement);
        names.Leave();
    }

    private void While(WhileStatementSyntax loop)
    {
        Piece condition = RepeatedPiece(loop.Condition);
        if (condition.Constant is not false)
        {
            Body($"while ({condition.Text})", loop.Statement);
        }
    }

    private void Do(DoStatementSyntax loop)
    {
        Body("do", loop.Statement);
        output.Line($"while ({Repeated(loop.Condition)});");
    }

    private void ForEach(ForEachStatementSyntax loop)
    {
        Piece items = Value(loop.Expression);
        names.Enter();
        Body($"foreach ({TypeName(loop.Type)} {Declare(loop)} in {items.Text})", loop.Statement);
        names.Leave();
    }

    private void Body(string header, StatementSyntax body)
    {
        (Jump outerBreak, Jump outerContinue) = (breakTarget, continueTarget);
        (breakTarget, continueTarget) = (Jump.Rolled, Jump.Rolled);
        Headed(header, body);
        (breakTarget, continueTarget) = (outerBreak, outerContinue);
    }

    private string Repeated(ExpressionSyntax expression) => RepeatedPiece(expression).Text;

    private Piece RepeatedPiece(ExpressionSyntax expression) =>
        WithoutStatements("in the condition or step of a loop that is not unrolled", () => Value(expression));
}
