namespace Mamba.Managed.Templates;

// A value is null (Python's None), a bool, a long, a BigInteger beyond 64 bits, a double, a string, or of one of these classes.

/// <summary>A list or a tuple: values in an order, which no template changes.</summary>
internal abstract class PySequence(object?[] items)
{
    /// <summary>The values.</summary>
    public object?[] Items => items;
}

/// <summary>A list.</summary>
internal sealed class PyList(object?[] items) : PySequence(items);

/// <summary>A tuple.</summary>
internal sealed class PyTuple(object?[] items) : PySequence(items);

/// <summary>The integers from one to another, which it does not contain.</summary>
internal sealed class PyRange(long start, long stop, long step, int count)
{
    /// <summary>The first integer.</summary>
    public long Start => start;

    /// <summary>The integer that ends it.</summary>
    public long Stop => stop;

    /// <summary>The distance of one to the next.</summary>
    public long Step => step;

    /// <summary>How many there are.</summary>
    public int Count => count;

    /// <summary>The integer at an index.</summary>
    public long this[int index] => start + (index * step);
}

/// <summary>Which part of a mapping a view shows.</summary>
internal enum DictPart
{
    /// <summary>The keys.</summary>
    Keys,

    /// <summary>The values.</summary>
    Values,

    /// <summary>Tuples of both.</summary>
    Items,
}

/// <summary>What <c>keys()</c>, <c>values()</c> and <c>items()</c> give.</summary>
internal sealed class DictView(PyDict dict, DictPart part)
{
    /// <summary>Which part of the mapping it shows.</summary>
    public DictPart Part => part;

    /// <summary>How many entries there are.</summary>
    public int Count => dict.Count;

    /// <summary>What it shows.</summary>
    public IEnumerable<object?> Entries => part switch
    {
        DictPart.Keys => dict.Keys,
        DictPart.Values => dict.Pairs.Select(pair => pair.Value),
        _ => dict.Pairs.Select(pair => new PyTuple([pair.Key, pair.Value])),
    };
}

/// <summary>Values that are made one by one and can be gone through once: what <c>map</c>, <c>select</c> and their like give.</summary>
internal sealed class PyIterator(IEnumerable<object?> items)
{
    private readonly IEnumerator<object?> items = items.GetEnumerator();

    /// <summary>What is left.</summary>
    public IEnumerable<object?> Rest()
    {
        while (items.MoveNext())
        {
            yield return items.Current;
        }
    }
}

/// <summary>Variables that inner scopes may assign, too.</summary>
internal sealed class Namespace
{
    /// <summary>The variables.</summary>
    public Dictionary<string, object?> Attributes { get; } = [];
}

/// <summary>What is not there: printed as nothing, gone through as nothing, false; anything else with it is an error.</summary>
/// <param name="problem">What is said where it is used otherwise.</param>
internal sealed class Undefined(string problem)
{
    /// <summary>What is said where it is used otherwise.</summary>
    public string Problem => problem;

    /// <summary>A variable that is not there.</summary>
    public static Undefined OfName(string name) => new($"'{Shortened.Text(name)}' is undefined");

    /// <summary>A member that a value does not have.</summary>
    public static Undefined OfMember(object? of, string key) => new($"a value of the type {PythonText.TypeName(of)} has no member '{Shortened.Text(key)}'");
}

/// <summary>The variable <c>loop</c> of a loop.</summary>
internal sealed class LoopState(object?[] items)
{
    private object? last;
    private bool hasLast;

    /// <summary>The index of the present item, from 0.</summary>
    public int Index { get; set; }

    /// <summary>An attribute; undefined where there is none of the name.</summary>
    public object? Attribute(string name) => name switch
    {
        "index" => Index + 1L,
        "index0" => (long)Index,
        "revindex" => (long)(items.Length - Index),
        "revindex0" => items.Length - Index - 1L,
        "first" => Index == 0,
        "last" => Index == items.Length - 1,
        "length" => (long)items.Length,
        "depth" => 1L,
        "depth0" => 0L,
        "previtem" => Index > 0 ? items[Index - 1] : new Undefined("there is no previous item"),
        "nextitem" => Index + 1 < items.Length ? items[Index + 1] : new Undefined("there is no next item"),
        "cycle" => new BuiltIn("loop.cycle", (rendering, arguments) =>
            arguments.Positional is { Length: > 0 } all ? all[Index % all.Length] : throw rendering.Failed("loop.cycle: expected values, found none")),
        "changed" => new BuiltIn("loop.changed", (rendering, arguments) => HasChanged(rendering, new PyTuple(arguments.Positional))),
        _ => Undefined.OfMember(this, name),
    };

    private bool HasChanged(Rendering rendering, PyTuple value)
    {
        bool changed = !hasLast || !Comparing.AreEqual(rendering, last, value);
        (last, hasLast) = (value, true);
        return changed;
    }
}
