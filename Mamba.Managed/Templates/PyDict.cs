using System.Numerics;

namespace Mamba.Managed.Templates;

/// <summary>A mapping that keeps the order in which its keys came. Keys are equal as in Python: 1, 1.0 and true are one key.</summary>
internal sealed class PyDict
{
    private static readonly object NoneKey = new();

    private readonly OrderedDictionary<object, object?> entries = new(KeyComparer.Instance);

    /// <summary>How many keys there are.</summary>
    public int Count => entries.Count;

    /// <summary>The keys.</summary>
    public IEnumerable<object?> Keys => entries.Keys.Select(Outside);

    /// <summary>Keys and values.</summary>
    public IEnumerable<KeyValuePair<object?, object?>> Pairs => entries.Select(entry => KeyValuePair.Create(Outside(entry.Key), entry.Value));

    /// <summary>Gives a key a value.</summary>
    public void Set(Rendering rendering, object? key, object? value) => entries[Inside(rendering, key)] = value;

    /// <summary>Gives a name a value.</summary>
    public void Set(string key, object? value) => entries[key] = value;

    /// <summary>Finds the value of a key.</summary>
    public bool TryGet(Rendering rendering, object? key, out object? value) => entries.TryGetValue(Inside(rendering, key), out value);

    /// <summary>Finds the value of a name.</summary>
    public bool TryGet(string key, out object? value) => entries.TryGetValue(key, out value);

    /// <summary>A mapping of the same entries.</summary>
    public PyDict Copy()
    {
        PyDict copy = new();
        foreach ((object key, object? value) in entries)
        {
            copy.entries[key] = value;
        }

        return copy;
    }

    private static object? Outside(object key) => ReferenceEquals(key, NoneKey) ? null : key;

    private static object Inside(Rendering rendering, object? key)
    {
        RequireKey(rendering, key);
        return key ?? NoneKey;
    }

    private static void RequireKey(Rendering rendering, object? key)
    {
        if (key is PyList or PyDict or DictView)
        {
            throw rendering.Failed($"a value of the type {PythonText.TypeName(key)} cannot be a key of a mapping");
        }

        if (key is PyTuple tuple)
        {
            rendering.Descend();
            rendering.Step(tuple.Items.Length);
            Array.ForEach(tuple.Items, item => RequireKey(rendering, item));
            rendering.Leave();
        }
    }

    private sealed class KeyComparer : IEqualityComparer<object>
    {
        public static readonly KeyComparer Instance = new();

        // Tuples were walked through when their key was checked, so that neither method goes deeper than that did.
        public new bool Equals(object? left, object? right) => (left, right) switch
        {
            (string a, string b) => string.Equals(a, b),
            (PyTuple a, PyTuple b) => a.Items.Length == b.Items.Length && a.Items.Zip(b.Items).All(pair => Equals(pair.First ?? NoneKey, pair.Second ?? NoneKey)),
            (Undefined, Undefined) => true,
            _ => ReferenceEquals(left, right) || (Numbers.Is(left) && Numbers.Is(right) && Numbers.Compare(left!, right!) == 0),
        };

        public int GetHashCode(object key) => key switch
        {
            string text => text.GetHashCode(StringComparison.Ordinal),
            PyTuple tuple => tuple.Items.Aggregate(17, (hash, item) => (hash * 31) + GetHashCode(item ?? NoneKey)),
            bool or long => Numbers.ToLong(key).GetHashCode(),
            double number => number == Math.Floor(number) && Math.Abs(number) < 1L << 53 ? ((long)number).GetHashCode() : number.GetHashCode(),
            Undefined => 0,
            BigInteger number => ((double)number).GetHashCode(),
            _ => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(key),
        };
    }
}
