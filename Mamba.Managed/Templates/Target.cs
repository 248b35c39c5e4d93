namespace Mamba.Managed.Templates;

/// <summary>What a value is assigned to.</summary>
internal abstract class Target
{
    /// <summary>Assigns a value in a scope.</summary>
    public abstract void Assign(Scope scope, object? value);
}

/// <summary>A variable.</summary>
internal sealed class VariableTarget(string name) : Target
{
    public override void Assign(Scope scope, object? value) => scope.Set(name, value);
}

/// <summary>A variable of a namespace, which keeps what inner scopes assign.</summary>
internal sealed class NamespaceTarget(string name, string attribute) : Target
{
    public override void Assign(Scope scope, object? value)
    {
        if (scope.Find(name) is not Namespace found)
        {
            throw scope.Rendering.Failed($"cannot assign '{name}.{attribute}': expected a namespace in '{name}'");
        }

        found.Attributes[attribute] = value;
    }
}

/// <summary>Several targets that a sequence of as many values is unpacked to.</summary>
internal sealed class TupleTarget(Target[] targets) : Target
{
    public override void Assign(Scope scope, object? value)
    {
        object?[] values = [.. Iteration.Of(scope.Rendering, value)];
        if (values.Length != targets.Length)
        {
            throw scope.Rendering.Failed(Throw.Invariant($"expected {targets.Length} values to unpack, found {values.Length}"));
        }

        for (int index = 0; index < values.Length; index++)
        {
            targets[index].Assign(scope, values[index]);
        }
    }
}
