namespace Mamba.Managed.Templates;

/// <summary>How a statement ended: on to the next one, or out of a loop's body.</summary>
internal enum Flow
{
    /// <summary>The next statement follows.</summary>
    Next,

    /// <summary>The loop ends.</summary>
    Break,

    /// <summary>The loop goes on with its next item.</summary>
    Continue,
}

/// <summary>A statement of a template.</summary>
/// <param name="offset">Where it stands in the template.</param>
internal abstract class Statement(int offset)
{
    /// <summary>Where it stands in the template.</summary>
    public int Offset => offset;

    /// <summary>Runs statements one after the other.</summary>
    public static Flow Run(Statement[] statements, Scope scope)
    {
        foreach (Statement statement in statements)
        {
            scope.Rendering.Enter(statement.Offset);
            Flow flow = statement.Run(scope);
            scope.Rendering.Leave();
            if (flow != Flow.Next)
            {
                return flow;
            }
        }

        return Flow.Next;
    }

    /// <summary>Runs the statement.</summary>
    public abstract Flow Run(Scope scope);
}

/// <summary>Text outside of tags.</summary>
internal sealed class DataStatement(int offset, string text) : Statement(offset)
{
    public override Flow Run(Scope scope)
    {
        scope.Rendering.Output.Append(text);
        return Flow.Next;
    }
}

/// <summary><c>{{ value }}</c>.</summary>
internal sealed class PrintStatement(int offset, Expression value) : Statement(offset)
{
    public override Flow Run(Scope scope)
    {
        object? found = value.Evaluate(scope);
        scope.Rendering.At = Offset;
        scope.Rendering.Output.Append(PythonText.Str(scope.Rendering, found));
        return Flow.Next;
    }
}

/// <summary><c>if</c>, <c>elif</c> and <c>else</c>; they have no scope of their own.</summary>
internal sealed class IfStatement(int offset, (Expression Condition, Statement[] Body)[] branches, Statement[] otherwise) : Statement(offset)
{
    public override Flow Run(Scope scope)
    {
        foreach ((Expression condition, Statement[] body) in branches)
        {
            if (Truth.Of(condition.Evaluate(scope)))
            {
                return Run(body, scope);
            }
        }

        return Run(otherwise, scope);
    }
}

/// <summary><c>break</c> and <c>continue</c>.</summary>
internal sealed class JumpStatement(int offset, Flow flow) : Statement(offset)
{
    public override Flow Run(Scope scope) => flow;
}

/// <summary><c>for</c> with its filter and its <c>else</c>.</summary>
internal sealed class ForStatement(int offset, Target target, Expression items, Expression? filter, Statement[] body, Statement[] otherwise) : Statement(offset)
{
    public override Flow Run(Scope scope)
    {
        object? from = items.Evaluate(scope);
        scope.Rendering.At = Offset;
        object?[] all = [.. Iteration.Of(scope.Rendering, from).Where(item => Passes(scope, item))];
        LoopState loop = new(all);
        bool hasEnded = false;
        for (int index = 0; index < all.Length; index++)
        {
            loop.Index = index;
            Scope inner = new(scope);
            inner.Set("loop", loop);
            scope.Rendering.At = Offset;
            target.Assign(inner, all[index]);
            Flow flow = Run(body, inner);
            hasEnded |= flow == Flow.Next;
            if (flow == Flow.Break)
            {
                break;
            }
        }

        // As in Jinja, a body that was left each time counts as one that never ran.
        return hasEnded ? Flow.Next : Run(otherwise, new Scope(scope));
    }

    private bool Passes(Scope scope, object? item)
    {
        if (filter is null)
        {
            return true;
        }

        Scope inner = new(scope);
        target.Assign(inner, item);
        return Truth.Of(filter.Evaluate(inner));
    }
}

/// <summary><c>set target = value</c>.</summary>
internal sealed class SetStatement(int offset, Target target, Expression value) : Statement(offset)
{
    public override Flow Run(Scope scope)
    {
        object? found = value.Evaluate(scope);
        scope.Rendering.At = Offset;
        target.Assign(scope, found);
        return Flow.Next;
    }
}

/// <summary><c>set</c>, <c>filter</c> and <c>generation</c> with a body: its text, through filters, is assigned or printed.</summary>
internal sealed class CaptureStatement(int offset, Target? target, Expression filters, Statement[] body) : Statement(offset)
{
    public override Flow Run(Scope scope)
    {
        Scope inner = new(scope);
        string text = scope.Rendering.Capture(() => Run(body, inner));
        Scope filtering = new(scope);
        filtering.Set(BlockText.Name, text);
        object? value = filters.Evaluate(filtering);
        scope.Rendering.At = Offset;
        if (target is null)
        {
            scope.Rendering.Output.Append(PythonText.Str(scope.Rendering, value));
        }
        else
        {
            target.Assign(scope, value);
        }

        return Flow.Next;
    }
}

/// <summary><c>with</c>: a scope with variables of its own.</summary>
internal sealed class WithStatement(int offset, (Target Target, Expression Value)[] variables, Statement[] body) : Statement(offset)
{
    public override Flow Run(Scope scope)
    {
        Scope inner = new(scope);
        foreach ((Target target, Expression value) in variables)
        {
            target.Assign(inner, value.Evaluate(scope));
        }

        return Run(body, inner);
    }
}

/// <summary><c>macro</c>: a function that gives the text of its body.</summary>
internal sealed class MacroStatement(int offset, MacroDefinition definition) : Statement(offset)
{
    public override Flow Run(Scope scope)
    {
        scope.Set(definition.Name!, new Macro(definition, scope));
        return Flow.Next;
    }
}

/// <summary><c>call</c>: calls a macro that gets the body as its <c>caller</c>.</summary>
internal sealed class CallStatement(int offset, MacroDefinition body, Call call) : Statement(offset)
{
    public override Flow Run(Scope scope)
    {
        object? text = call.With(scope, new Macro(body, scope));
        scope.Rendering.At = Offset;
        scope.Rendering.Output.Append(PythonText.Str(scope.Rendering, text));
        return Flow.Next;
    }
}
