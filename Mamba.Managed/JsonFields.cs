using System.Text.Json;

namespace Mamba.Managed;

/// <summary>Typed reading of a JSON object: a field that is absent or null has its default, one of another kind is an error that names it.</summary>
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

    /// <summary>True or false.</summary>
    public bool Flag(string name, bool fallback) => Find(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } other => throw Unexpected(name, "true or false", other),
    };

    /// <summary>A finite number.</summary>
    public float Number(string name, float fallback) => Find(name) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.Number } number when number.TryGetSingle(out float value) && float.IsFinite(value) => value,
        { } other => throw Unexpected(name, "a finite number", other),
    };

    /// <summary>An integer of at least <paramref name="least"/>.</summary>
    public int Integer(string name, int fallback, int least = 1) => Find(name) is null ? fallback : RequiredInteger(name, least);

    /// <summary>An integer that must be there.</summary>
    public int RequiredInteger(string name, int least = 1) => Find(name) switch
    {
        null => throw new InvalidDataException($"{name}: expected an integer, found no such field"),
        { ValueKind: JsonValueKind.Number } number when number.TryGetInt32(out int value) && value >= least => value,
        { } other => throw Unexpected(name, Throw.Invariant($"an integer from {least} to {int.MaxValue}"), other),
    };

    /// <summary>An integer, or 0 for the text <c>auto</c>.</summary>
    public int IntegerOrAuto(string name) =>
        Find(name) is { ValueKind: JsonValueKind.String } text && text.GetString() == "auto" ? 0 : Integer(name, 0);

    /// <summary>An integer of at least 0, or the first of a list of them; null when absent.</summary>
    public int? FirstInteger(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Array } list when list.GetArrayLength() == 0 => null,
        { ValueKind: JsonValueKind.Array } list when IsIndex(list[0], out int first) => first,
        { } number when IsIndex(number, out int value) => value,
        { } other => throw Unexpected(name, "an integer of at least 0 or a list of them", other),
    };

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

    private static InvalidDataException Unexpected(string name, string expected, JsonElement found)
    {
        const int Most = 60;
        string text = found.GetRawText();
        return new InvalidDataException($"{name}: expected {expected}, found {(text.Length > Most ? text[..Most] + "..." : text)}");
    }

    private static bool IsIndex(JsonElement element, out int value)
    {
        value = 0;
        return element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out value) && value >= 0;
    }

    private JsonElement? Find(string name) =>
        fields.ValueKind == JsonValueKind.Object && fields.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;
}
