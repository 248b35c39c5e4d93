namespace Mamba.Managed.Templates;

/// <summary>The values that a function, a filter or a test is called with.</summary>
internal sealed class Arguments(object?[] positional, IReadOnlyList<KeyValuePair<string, object?>> keywords)
{
    private string what = "the function";

    /// <summary>The values without names.</summary>
    public object?[] Positional => positional;

    /// <summary>The values with names.</summary>
    public IReadOnlyList<KeyValuePair<string, object?>> Keywords => keywords;

    /// <summary>These, said to be of a function that errors name.</summary>
    public Arguments Named(string name)
    {
        what = name;
        return this;
    }

    /// <summary>These without the first ones.</summary>
    public Arguments Skip(int count) => new Arguments(positional[count..], keywords).Named(what);

    /// <summary>These and one more with a name.</summary>
    public Arguments With(string name, object? value) => new(positional, [.. keywords, KeyValuePair.Create(name, value)]);

    /// <summary>Finds a value with a name.</summary>
    public bool Find(string name, out object? value)
    {
        foreach ((string key, object? found) in keywords)
        {
            if (key == name)
            {
                value = found;
                return true;
            }
        }

        value = null;
        return false;
    }

    /// <summary>Gives each value to the parameter it belongs to.</summary>
    /// <param name="rendering">The rendering in progress.</param>
    /// <param name="required">How many parameters must have a value.</param>
    /// <param name="names">The parameters in order.</param>
    public Bound Bind(Rendering rendering, int required, params string[] names)
    {
        if (positional.Length > names.Length)
        {
            throw rendering.Failed(Throw.Invariant($"{what}: expected at most {names.Length} arguments, found {positional.Length}"));
        }

        object?[] values = new object?[names.Length];
        bool[] given = new bool[names.Length];
        positional.CopyTo(values, 0);
        Array.Fill(given, true, 0, positional.Length);
        foreach ((string name, object? value) in keywords)
        {
            int index = Array.IndexOf(names, name);
            if (index < 0 || given[index])
            {
                throw rendering.Failed(index < 0 ? $"{what} has no argument '{Shortened.Text(name)}'" : $"{what}: the argument '{name}' is given twice");
            }

            (values[index], given[index]) = (value, true);
        }

        int missing = Array.IndexOf(given, false);
        return missing >= 0 && missing < required
            ? throw rendering.Failed($"{what}: expected the argument '{names[missing]}', found none")
            : new Bound(rendering, what, names, values, given);
    }
}

/// <summary>The values of parameters.</summary>
internal sealed class Bound(Rendering rendering, string what, string[] names, object?[] values, bool[] given)
{
    /// <summary>The value of a parameter; null where none was given.</summary>
    public object? this[int index] => values[index];

    /// <summary>Whether a parameter was given a value.</summary>
    public bool Has(int index) => given[index];

    /// <summary>Whether a parameter's value counts as true.</summary>
    public bool Flag(int index, bool fallback = false) => given[index] ? Truth.Of(values[index]) : fallback;

    /// <summary>A text.</summary>
    public string Text(int index) => values[index] as string ?? throw Unfit(index, "a text");

    /// <summary>A text, or a default where none was given.</summary>
    public string Text(int index, string fallback) => given[index] ? Text(index) : fallback;

    /// <summary>An integer.</summary>
    public long Integer(int index) => Numbers.IsInteger(values[index]) ? Numbers.ToLong(values[index]!) : throw Unfit(index, "an integer");

    /// <summary>An integer, or a default where none was given.</summary>
    public long Integer(int index, long fallback) => given[index] ? Integer(index) : fallback;

    private ChatTemplateException Unfit(int index, string expected) => rendering.Unfit($"{what}: expected {expected} as '{names[index]}'", values[index]);
}
