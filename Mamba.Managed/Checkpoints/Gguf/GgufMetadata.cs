using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The metadata of a GGUF file: values by key, in the order of the file.</summary>
/// <remarks>Errors of the typed getters name the key.</remarks>
[SuppressMessage("Naming", "CA1710", Justification = "the format calls it metadata")]
internal sealed class GgufMetadata : IReadOnlyDictionary<string, GgufValue>
{
    private readonly OrderedDictionary<string, GgufValue> values = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public int Count => values.Count;

    /// <inheritdoc/>
    public IEnumerable<string> Keys => values.Keys;

    /// <inheritdoc/>
    public IEnumerable<GgufValue> Values => values.Values;

    /// <summary>The value of a key; an existing key keeps its place when it is set.</summary>
    /// <exception cref="KeyNotFoundException">There is no such key.</exception>
    public GgufValue this[string key]
    {
        get => values[key];
        set
        {
            ArgumentException.ThrowIfNullOrEmpty(key);
            ArgumentNullException.ThrowIfNull(value);
            values[key] = value;
        }
    }

    /// <summary>The whole number under a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="otherwise">The value for an absent key; null if the key is required.</param>
    /// <exception cref="InvalidDataException">The key is absent, or not a whole number below 2^31.</exception>
    public int GetInteger(string key, int? otherwise = null)
    {
        if (!TryGetValue(key, out GgufValue? value))
        {
            return otherwise ?? throw Absent(key);
        }

        long number = Read(key, value, static v => v.AsInteger());
        return number is >= int.MinValue and <= int.MaxValue
            ? (int)number
            : throw new InvalidDataException(Throw.Invariant($"{key}: expected a whole number below 2^31, found {number}"));
    }

    /// <summary>The whole number under a key, of any size; null where there is none.</summary>
    /// <exception cref="InvalidDataException">The value is of another type.</exception>
    public long? GetWholeNumber(string key) => TryGetValue(key, out GgufValue? value) ? Read(key, value, static v => v.AsInteger()) : null;

    /// <summary>The number under a key.</summary>
    /// <exception cref="InvalidDataException">The key is absent, or not a number.</exception>
    public float GetNumber(string key) =>
        TryGetValue(key, out GgufValue? value) ? (float)Read(key, value, static v => v.AsNumber()) : throw Absent(key);

    /// <summary>The truth value under a key; false where there is none.</summary>
    /// <exception cref="InvalidDataException">The value is of another type.</exception>
    public bool GetBoolean(string key) => TryGetValue(key, out GgufValue? value) && Read(key, value, static v => v.AsBoolean());

    /// <summary>The string under a key; null where there is none.</summary>
    /// <exception cref="InvalidDataException">The value is of another type.</exception>
    public string? GetString(string key) => TryGetValue(key, out GgufValue? value) ? Read(key, value, static v => v.AsString()) : null;

    /// <summary>The strings under a key; empty where there are none.</summary>
    /// <exception cref="InvalidDataException">The value is of another type.</exception>
    public string[] GetStrings(string key) => TryGetValue(key, out GgufValue? value) ? Read(key, value, static v => v.AsStrings()) : [];

    /// <summary>The numbers under a key; empty where there are none.</summary>
    /// <exception cref="InvalidDataException">The value is of another type.</exception>
    public float[] GetNumbers(string key) => TryGetValue(key, out GgufValue? value) ? Read(key, value, static v => v.AsNumbers()) : [];

    /// <summary>The whole numbers under a key; empty where there are none.</summary>
    /// <exception cref="InvalidDataException">The value is of another type.</exception>
    public int[] GetIntegers(string key) => TryGetValue(key, out GgufValue? value) ? Read(key, value, static v => v.AsIntegers()) : [];

    /// <inheritdoc/>
    public bool ContainsKey(string key) => values.ContainsKey(key);

    /// <inheritdoc/>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out GgufValue value) => values.TryGetValue(key, out value);

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, GgufValue>> GetEnumerator() => values.GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal bool TryAdd(string key, GgufValue value) => values.TryAdd(key, value);

    private static T Read<T>(string key, GgufValue value, Func<GgufValue, T> read)
    {
        try
        {
            return read(value);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{key}: {error.Message}", error);
        }
    }

    private static InvalidDataException Absent(string key) => new($"{key}: expected a value, found none");
}
