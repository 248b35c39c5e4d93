namespace Mamba.Managed.Templates;

/// <summary>Variables of a block; what it does not hold, the blocks around it do.</summary>
internal sealed class Scope
{
    private readonly Scope? parent;
    private Dictionary<string, object?>? variables;

    /// <summary>The scope of a block within another.</summary>
    public Scope(Scope parent) => (this.parent, Rendering) = (parent, parent.Rendering);

    /// <summary>The outermost scope.</summary>
    public Scope(Rendering rendering) => Rendering = rendering;

    /// <summary>The rendering it belongs to.</summary>
    public Rendering Rendering { get; }

    /// <summary>The value of a variable; undefined where there is none.</summary>
    public object? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.parent)
        {
            if (scope.variables is not null && scope.variables.TryGetValue(name, out object? value))
            {
                return value;
            }
        }

        return Rendering.Global(name);
    }

    /// <summary>Gives a variable of this block a value.</summary>
    public void Set(string name, object? value) => (variables ??= [])[name] = value;
}
