using System.Text.Json;

namespace Mamba.Managed;

/// <summary>Typed reading of a JSON object: a field that is absent or null has its default, one of another kind is an error that names it.</summary>
/// <remarks>A whole number may be written with a fraction of zeros, as 16.0; numbers that are not finite are those of <see cref="PythonJson"/>.</remarks>
internal readonly struct JsonFields(JsonElement fields)
{
    /// <summary>Whether a field is there and not null.</summary>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>A text.</summary>
    public string Text(string name, string fallback) => Find(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.String } text => text.GetString()!,
        { } other => throw Unexpected(name, "a text", other),
    };

    /// <summary>The texts of a list; empty when absent.</summary>
    public IReadOnlyList<string> Texts(string name) => Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list when list.EnumerateArray().All(entry => entry.ValueKind == JsonValueKind.String) =>
            [.. list.EnumerateArray().Select(entry => entry.GetString()!)],
        { } other => throw Unexpected(name, "a list of texts", other),
    };

    /// <summary>True or false.</summary>
    public bool Flag(string name, bool fallback) => Find(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } other => throw Unexpected(name, "true or false", other),
    };

    /// <summary>A finite number of single precision.</summary>
    public float Number(string name, float fallback) => Find(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.Number } number when number.TryGetSingle(out float value) && float.IsFinite(value) => value,
        { } other => throw Unexpected(name, "a finite number", other),
    };

    /// <summary>A finite number of double precision, as Python computes with.</summary>
    public double DoubleNumber(string name, double fallback) => Find(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.Number } number when number.TryGetDouble(out double value) && double.IsFinite(value) => value,
        { } other => throw Unexpected(name, "a finite number", other),
    };

    /// <summary>An integer of at least <paramref name="least"/>.</summary>
    public int Integer(string name, int fallback, int least = 1) => Find(name) is null ? fallback : RequiredInteger(name, least);

    /// <summary>An integer that must be there.</summary>
    public int RequiredInteger(string name, int least = 1) => Find(name) switch
    {
        null => throw new InvalidDataException($"{name}: expected an integer, found no such field"),
        { } number when IsInteger(number, out long value) && value >= least && value <= int.MaxValue => (int)value,
        { } other => throw Unexpected(name, Throw.Invariant($"an integer from {least} to {int.MaxValue}"), other),
    };

    /// <summary>An integer, or 0 for the text <c>auto</c>.</summary>
    public int IntegerOrAuto(string name) =>
        Find(name) is { ValueKind: JsonValueKind.String } text && text.GetString() == "auto" ? 0 : Integer(name, 0);

    /// <summary>An integer or a list of them, of any sizes; empty when absent.</summary>
    public IReadOnlyList<long> Integers(string name)
    {
        if (Find(name) is not { } found)
        {
            return [];
        }

        JsonElement[] entries = found.ValueKind == JsonValueKind.Array ? [.. found.EnumerateArray()] : [found];
        return [.. entries.Select(entry => IsInteger(entry, out long value) ? value : throw Unexpected(name, "an integer or a list of them", found))];
    }

    /// <summary>Whether a list is there and not empty.</summary>
    public bool HasElements(string name) => Find(name) switch
    {
        null => false,
        { ValueKind: JsonValueKind.Array } list => list.GetArrayLength() > 0,
        { } other => throw Unexpected(name, "a list", other),
    };

    /// <summary>An object within the object; empty when absent.</summary>
    public JsonFields Inner(string name) => Find(name) switch
    {
        null => default,
        { ValueKind: JsonValueKind.Object } inner => new JsonFields(inner),
        { } other => throw Unexpected(name, "an object", other),
    };

    /// <summary>The value of a field, of any kind; null when absent.</summary>
    public JsonElement? Find(string name) =>
        fields.ValueKind == JsonValueKind.Object && fields.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    /// <summary>The names and values of all fields.</summary>
    public IEnumerable<JsonProperty> All() => fields.ValueKind == JsonValueKind.Object ? fields.EnumerateObject() : [];

    /// <summary>Refuses a field whose value is not the only one that is supported.</summary>
    public void RequireFlag(string name, bool expected)
    {
        if (Flag(name, expected) != expected)
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected {expected}, found {!expected}; such models are not supported"));
        }
    }

    /// <summary>The error of a field of another kind.</summary>
    public static InvalidDataException Unexpected(string name, string expected, JsonElement found)
    {
        const int Most = 60;
        string text = found.ValueKind == JsonValueKind.Object && found.TryGetProperty(PythonJson.Field, out JsonElement number) ? number.ToString() : found.GetRawText();
        return new InvalidDataException($"{name}: expected {expected}, found {(text.Length > Most ? text[..Most] + "..." : text)}");
    }

    private static bool IsInteger(JsonElement element, out long value)
    {
        const double Exact = 1L << 53;
        value = 0;
        if (element.ValueKind != JsonValueKind.Number || element.TryGetInt64(out value))
        {
            return element.ValueKind == JsonValueKind.Number;
        }

        bool isWhole = element.TryGetDouble(out double number) && Math.Abs(number) <= Exact && number == Math.Truncate(number);
        value = isWhole ? (long)number : 0;
        return isWhole;
    }
}
