namespace Mamba.Managed.Templates;

/// <summary>An expression of a template.</summary>
/// <param name="offset">Where it stands in the template.</param>
internal abstract class Expression(int offset)
{
    /// <summary>Where it stands in the template.</summary>
    public int Offset => offset;

    /// <summary>The value.</summary>
    public object? Evaluate(Scope scope)
    {
        scope.Rendering.Enter(offset);
        object? value = Compute(scope);
        scope.Rendering.Leave();
        return value;
    }

    /// <summary>The value, after the step has been counted.</summary>
    protected abstract object? Compute(Scope scope);
}

/// <summary>A value that stands in the template.</summary>
internal sealed class Constant(int offset, object? value) : Expression(offset)
{
    /// <summary>The value.</summary>
    public object? Value => value;

    protected override object? Compute(Scope scope) => value;
}

/// <summary>A variable.</summary>
internal sealed class Variable(int offset, string name) : Expression(offset)
{
    /// <summary>The name.</summary>
    public string Name => name;

    protected override object? Compute(Scope scope) => scope.Find(name);
}

/// <summary>A list in brackets.</summary>
internal sealed class ListDisplay(int offset, Expression[] items) : Expression(offset)
{
    protected override object? Compute(Scope scope) => new PyList(Array.ConvertAll(items, item => item.Evaluate(scope)));
}

/// <summary>Values with commas between them.</summary>
internal sealed class TupleDisplay(int offset, Expression[] items) : Expression(offset)
{
    /// <summary>The expressions.</summary>
    public Expression[] Items => items;

    protected override object? Compute(Scope scope) => new PyTuple(Array.ConvertAll(items, item => item.Evaluate(scope)));
}

/// <summary>A mapping in braces.</summary>
internal sealed class DictDisplay(int offset, (Expression Key, Expression Value)[] pairs) : Expression(offset)
{
    protected override object? Compute(Scope scope)
    {
        PyDict dict = new();
        foreach ((Expression key, Expression value) in pairs)
        {
            object? name = key.Evaluate(scope);
            dict.Set(scope.Rendering, name, value.Evaluate(scope));
        }

        return dict;
    }
}

/// <summary>An attribute or an item: <c>a.b</c> looks for a method first, <c>a['b']</c> for an item first.</summary>
internal sealed class Member(int offset, Expression target, Expression key, bool isAttribute) : Expression(offset)
{
    protected override object? Compute(Scope scope)
    {
        object? of = target.Evaluate(scope), name = key.Evaluate(scope);
        scope.Rendering.At = Offset;
        return isAttribute ? Members.Attribute(scope.Rendering, of, (string)name!) : Members.Item(scope.Rendering, of, name);
    }
}

/// <summary>A part of a list or a text: <c>a[start:stop:step]</c>.</summary>
internal sealed class Slice(int offset, Expression target, Expression? start, Expression? stop, Expression? step) : Expression(offset)
{
    protected override object? Compute(Scope scope)
    {
        object? of = target.Evaluate(scope), first = start?.Evaluate(scope), last = stop?.Evaluate(scope), by = step?.Evaluate(scope);
        scope.Rendering.At = Offset;
        return Slicing.Of(scope.Rendering, of, first, last, by);
    }
}

/// <summary>What stands in the parentheses of a call, a filter or a test.</summary>
internal sealed class CallArguments(Expression[] positional, (string Name, Expression Value)[] keywords, Expression? list, Expression? mapping)
{
    /// <summary>No arguments.</summary>
    public static CallArguments None { get; } = new([], [], null, null);

    /// <summary>The values.</summary>
    public Arguments Evaluate(Scope scope)
    {
        List<object?> values = [.. positional.Select(item => item.Evaluate(scope))];
        List<KeyValuePair<string, object?>> named = [.. keywords.Select(item => KeyValuePair.Create(item.Name, item.Value.Evaluate(scope)))];
        if (list is not null)
        {
            values.AddRange(Iteration.Of(scope.Rendering, list.Evaluate(scope)));
        }

        if (mapping is not null)
        {
            PyDict dict = mapping.Evaluate(scope) as PyDict ?? throw scope.Rendering.Failed("expected a mapping behind '**'");
            named.AddRange(dict.Pairs.Select(pair => KeyValuePair.Create(pair.Key as string ?? throw scope.Rendering.Failed("keywords must be texts"), pair.Value)));
        }

        return new Arguments([.. values], named);
    }
}

/// <summary>A call of a function, a method or a macro.</summary>
internal sealed class Call(int offset, Expression target, CallArguments arguments) : Expression(offset)
{
    protected override object? Compute(Scope scope) => With(scope, null);

    /// <summary>The result, with a caller for a macro that asks for one.</summary>
    public object? With(Scope scope, Callable? caller)
    {
        object? function = target.Evaluate(scope);
        Arguments values = arguments.Evaluate(scope);
        scope.Rendering.At = Offset;
        return Calling.Invoke(scope.Rendering, function, caller is null ? values : values.With("caller", caller));
    }
}

/// <summary>A filter or a test: <c>value | name(arguments)</c>, <c>value is name(arguments)</c>.</summary>
/// <param name="offset">Where its name stands.</param>
/// <param name="target">The value.</param>
/// <param name="title">What errors call it.</param>
/// <param name="filter">What it does; a test gives true or false.</param>
/// <param name="arguments">The arguments.</param>
internal sealed class FilterCall(int offset, Expression target, string title, Filter filter, CallArguments arguments) : Expression(offset)
{
    protected override object? Compute(Scope scope)
    {
        object? value = target.Evaluate(scope);
        Arguments values = arguments.Evaluate(scope);
        scope.Rendering.At = Offset;
        return filter(scope.Rendering, value, values.Named(title));
    }
}

/// <summary>The text that the enclosing block made: what the first filter of a block is given.</summary>
internal sealed class BlockText(int offset) : Expression(offset)
{
    /// <summary>The name under which a scope holds it; no template can write it.</summary>
    public const string Name = "block text";

    protected override object? Compute(Scope scope) => scope.Find(Name);
}
