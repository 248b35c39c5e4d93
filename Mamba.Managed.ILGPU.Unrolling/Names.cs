namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>
/// Chooses names of generated locals. C# lets blocks side by side use the same name, but a block must not use one that a block around it declares,
/// before or after. So a fresh name differs from all names of the template, of the blocks around and of the blocks inside that are closed already.
/// </summary>
internal sealed class Names(IEnumerable<string> reserved)
{
    private readonly HashSet<string> reserved = new(reserved);
    private readonly List<Scope> scopes = [new()];

    /// <summary>Whether the innermost block declares nothing itself.</summary>
    public bool NothingDeclared => scopes[scopes.Count - 1].Declared.Count == 0;

    public void Enter() => scopes.Add(new Scope());

    public void Leave()
    {
        Scope inner = scopes[scopes.Count - 1];
        scopes.RemoveAt(scopes.Count - 1);
        HashSet<string> inside = scopes[scopes.Count - 1].Inside;
        inside.UnionWith(inner.Declared);
        inside.UnionWith(inner.Inside);
    }

    /// <summary>Takes down a name that the template itself gives to a local of the innermost block.</summary>
    public void Declare(string name) => scopes[scopes.Count - 1].Declared.Add(name);

    /// <summary>Declares a local of the innermost block, called <paramref name="wanted"/> or, if that is taken, the same with a number.</summary>
    public string Fresh(string wanted)
    {
        string name = wanted;
        for (int i = 1; IsTaken(name); i++)
        {
            name = wanted + "_" + i;
        }

        Declare(name);
        return name;
    }

    /// <summary>Takes back the name of a local that was not needed after all.</summary>
    public void Release(string name) => scopes[scopes.Count - 1].Declared.Remove(name);

    /// <summary>Declares one local for each suffix, all with the same stem.</summary>
    public IReadOnlyList<string> FreshFamily(string wanted, IReadOnlyList<string> suffixes)
    {
        string stem = wanted;
        for (int i = 1; suffixes.Any(suffix => IsTaken(stem + suffix)); i++)
        {
            stem = wanted + "_" + i;
        }

        string[] names = [.. suffixes.Select(suffix => stem + suffix)];
        foreach (string name in names)
        {
            Declare(name);
        }

        return names;
    }

    private bool IsTaken(string name) =>
        reserved.Contains(name) || scopes[scopes.Count - 1].Inside.Contains(name) || scopes.Any(scope => scope.Declared.Contains(name));

    private sealed class Scope
    {
        public HashSet<string> Declared { get; } = [];

        public HashSet<string> Inside { get; } = [];
    }
}
