namespace Mamba.Managed.Templates;

/// <summary>What can be called.</summary>
internal abstract class Callable
{
    /// <summary>Calls it.</summary>
    public abstract object? Invoke(Rendering rendering, Arguments arguments);
}

/// <summary>A function or a method that is not of the template.</summary>
internal sealed class BuiltIn(string name, Func<Rendering, Arguments, object?> body) : Callable
{
    public override object? Invoke(Rendering rendering, Arguments arguments) => body(rendering, arguments.Named(name));
}

/// <summary>What a template says of a macro.</summary>
/// <param name="Name">Its name; null for the body of a <c>call</c>.</param>
/// <param name="Parameters">The parameters, each with the expression of its default.</param>
/// <param name="Body">What it prints.</param>
/// <param name="Mentioned">Which of the special names <c>caller</c>, <c>varargs</c> and <c>kwargs</c> its body mentions: only then it takes such values.</param>
internal sealed record MacroDefinition(string? Name, (string Name, Expression? Default)[] Parameters, Statement[] Body, IReadOnlySet<string> Mentioned);

/// <summary>A macro, with the scope around it.</summary>
internal sealed class Macro(MacroDefinition definition, Scope around) : Callable
{
    /// <summary>The name that a template may ask for.</summary>
    public string? Name => definition.Name;

    public override object? Invoke(Rendering rendering, Arguments arguments)
    {
        Scope scope = new(around);
        Dictionary<string, object?> named = [];
        foreach ((string name, object? value) in arguments.Keywords)
        {
            named[name] = value;
        }

        List<(string, Expression?)> missing = TakeParameters(scope, arguments, named);
        TakeRest(rendering, scope, arguments, named);
        foreach ((string name, Expression? value) in missing)
        {
            scope.Set(name, value is null ? new Undefined($"the parameter '{name}' was not given") : value.Evaluate(scope));
        }

        return rendering.Capture(() => Statement.Run(definition.Body, scope));
    }

    private List<(string Name, Expression? Default)> TakeParameters(Scope scope, Arguments arguments, Dictionary<string, object?> named)
    {
        List<(string, Expression?)> missing = [];
        for (int index = 0; index < definition.Parameters.Length; index++)
        {
            (string name, Expression? fallback) = definition.Parameters[index];
            if (index < arguments.Positional.Length)
            {
                scope.Set(name, arguments.Positional[index]);
            }
            else if (named.Remove(name, out object? value))
            {
                scope.Set(name, value);
            }
            else
            {
                missing.Add((name, fallback));
            }
        }

        return missing;
    }

    private void TakeRest(Rendering rendering, Scope scope, Arguments arguments, Dictionary<string, object?> named)
    {
        string what = definition.Name is null ? "the caller" : $"the macro '{definition.Name}'";
        int count = definition.Parameters.Length;
        if (definition.Mentioned.Contains("caller") && !definition.Parameters.Any(parameter => parameter.Name == "caller"))
        {
            scope.Set("caller", named.Remove("caller", out object? caller) && caller is not null ? caller : new Undefined("no caller: the macro was not called by a call block"));
        }

        if (definition.Mentioned.Contains("kwargs"))
        {
            PyDict rest = new();
            foreach ((string name, object? value) in named)
            {
                rest.Set(name, value);
            }

            scope.Set("kwargs", rest);
        }
        else if (named.Count > 0)
        {
            throw rendering.Failed($"{what} has no parameter '{Shortened.Text(named.Keys.First())}'");
        }

        if (definition.Mentioned.Contains("varargs"))
        {
            scope.Set("varargs", new PyTuple(arguments.Positional.Length > count ? arguments.Positional[count..] : []));
        }
        else if (arguments.Positional.Length > count)
        {
            throw rendering.Failed(Throw.Invariant($"{what}: expected at most {count} arguments, found {arguments.Positional.Length}"));
        }
    }
}

/// <summary>Calls.</summary>
internal static class Calling
{
    /// <summary>Calls a value.</summary>
    public static object? Invoke(Rendering rendering, object? function, Arguments arguments) =>
        function is Callable callable ? callable.Invoke(rendering, arguments) : throw rendering.Unfit("expected a function before the parentheses", function);
}
