using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Blocks, branches and jumps.</summary>
internal sealed partial class Unroller
{
    private void Block(IReadOnlyList<StatementSyntax> statements)
    {
        output.Open();
        names.Enter();
        Statements(statements);
        names.Leave();
        output.Close();
    }

    /// <summary>A block that is left without braces where they tell nothing.</summary>
    /// <param name="longestBare">How many statements may stand without braces.</param>
    private void Copy(StatementSyntax body, int longestBare)
    {
        int start = output.Count;
        output.Open();
        names.Enter();
        Statements(StatementsOf(body));
        output.Close();
        DropBraces(start, longestBare);
    }

    /// <summary>Ends the scope of the block opened at line <paramref name="start"/>, and drops its braces if nothing is declared in it.</summary>
    private void DropBraces(int start, int longestBare)
    {
        int lines = output.Count - start - 2;
        if (lines == 0 || (names.NothingDeclared && (lines <= longestBare || output.IsSingleBlock(start + 1, output.Count - 1))))
        {
            output.RemoveBraces(start);
        }

        names.Leave();
    }

    private void Headed(string header, StatementSyntax body)
    {
        output.Line(header);
        frame.Nesting++;
        Block(StatementsOf(body));
        frame.Nesting--;
    }

    /// <summary>The statements themselves: a SyntaxList of one would hold a copy, of which the compiler knows nothing.</summary>
    private static IReadOnlyList<StatementSyntax> StatementsOf(StatementSyntax body) =>
        body is BlockSyntax block ? block.Statements : new StatementSyntax[] { body };

    private void Expression(ExpressionSyntax expression)
    {
        if (expression is InvocationExpressionSyntax call && InlinedMethod(call) is { } method)
        {
            Piece result = Inline(call, method);
            if ((result.Touch & Touch.Effects) != 0)
            {
                output.Line($"_ = {result.Text};");
            }

            return;
        }

        output.Line(Value(expression).Text + ";");
    }

    private void If(IfStatementSyntax choice)
    {
        Piece condition = Value(choice.Condition);
        if (condition.Constant is bool known)
        {
            if ((known ? choice.Statement : choice.Else?.Statement) is { } taken)
            {
                Copy(taken, longestBare: int.MaxValue);
            }

            return;
        }

        Headed($"if ({condition.Text})", choice.Statement);
        if (choice.Else is { } otherwise)
        {
            int start = output.Count;
            Headed("else", otherwise.Statement);
            output.RemoveIfEmpty(start);
        }
    }

    private void Switch(SwitchStatementSyntax choice)
    {
        output.Line($"switch ({Value(choice.Expression).Text})");
        output.Open();
        names.Enter();
        frame.Nesting++;
        Jump outer = breakTarget;
        breakTarget = Jump.Rolled;
        foreach (SwitchSectionSyntax section in choice.Sections)
        {
            foreach (SwitchLabelSyntax label in section.Labels)
            {
                output.Line(WithoutStatements("in a case label", () => Generic(label)).Text);
            }

            Block(section.Statements);
        }

        breakTarget = outer;
        frame.Nesting--;
        names.Leave();
        output.Close();
    }

    private void Return(ReturnStatementSyntax end)
    {
        if (!frame.IsTemplate)
        {
            ReturnInlined(end);
            return;
        }

        output.Line(end.Expression is { } value ? $"return {Value(value).Text};" : "return;");
    }

    private void Label(StatementSyntax statement)
    {
        Check(frame.IsTemplate && unrolling == 0, Diagnostics.JumpFromUnrolled, statement, statement);
        if (statement is LabeledStatementSyntax label)
        {
            output.Line($"{label.Identifier.Text}:");
            Write(label.Statement);
        }
        else
        {
            output.Line(statement.ToString());
        }
    }

    private void Leave(Jump target, StatementSyntax jump)
    {
        Check(target != Jump.Unrolled, Diagnostics.JumpFromUnrolled, jump, jump);
        output.Line(jump.ToString());
    }
}
