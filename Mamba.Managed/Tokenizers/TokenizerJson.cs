using System.Text.Json;

namespace Mamba.Managed.Tokenizers;

/// <summary>Reads the fields of <c>tokenizer.json</c>; what is missing, of another type or not known is an error that names it.</summary>
internal static class TokenizerJson
{
    /// <summary>A field of an object, or null where it is absent or null.</summary>
    public static JsonElement? Get(JsonElement parent, string name, JsonValueKind kind)
    {
        Throw.Unless(parent.ValueKind == JsonValueKind.Object, $"expected an object with {name}, found {Excerpt(parent)}");
        if (!parent.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        Throw.Unless(value.ValueKind == kind, $"{name}: expected {kind}, found {Excerpt(value)}");
        return value;
    }

    /// <summary>A text that must be there.</summary>
    public static string Text(JsonElement parent, string name, string where) =>
        OptionalText(parent, name) ?? throw Missing($"{where}.{name}");

    /// <summary>A text, or null where it is absent or null.</summary>
    public static string? OptionalText(JsonElement parent, string name) =>
        Get(parent, name, JsonValueKind.String) is { } value ? Decoded(() => value.GetString()!, name) : null;

    /// <summary>A flag; <paramref name="otherwise"/> where it is absent or null.</summary>
    public static bool Flag(JsonElement parent, string name, bool otherwise)
    {
        if (!parent.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return otherwise;
        }

        Throw.Unless(value.ValueKind is JsonValueKind.True or JsonValueKind.False, $"{name}: expected true or false, found {Excerpt(value)}");
        return value.GetBoolean();
    }

    /// <summary>Refuses a field with another value than the one that is supported.</summary>
    public static void Expect(JsonElement parent, string name, string expected, string where)
    {
        string found = OptionalText(parent, name) ?? "nothing";
        Throw.Unless(found == expected, $"{where}.{name}: expected {expected}, found {found}; this kind is not supported");
    }

    /// <summary>Refuses a field that is not among those that are known.</summary>
    public static void OnlyKnown(JsonElement parent, string where, params ReadOnlySpan<string> names)
    {
        foreach (JsonProperty field in parent.EnumerateObject())
        {
            string name = Decoded(() => field.Name, where);
            Throw.Unless(names.Contains(name), $"{where}: expected {string.Join(", ", names!)}, found {name}; this field is not supported");
        }
    }

    /// <summary>The id of a token: a whole number.</summary>
    public static int Id(JsonElement value, string where)
    {
        int id = 0;
        Throw.Unless(value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out id), $"{where}: expected whole numbers below 2^31, found {Excerpt(value)}");
        return id;
    }

    /// <summary>The error for a field that must be there.</summary>
    public static InvalidDataException Missing(string name) => new($"{name}: expected it in the file, found nothing");

    /// <summary>The beginning of a value, for an error.</summary>
    public static string Excerpt(JsonElement value)
    {
        string text = value.ValueKind is JsonValueKind.Object or JsonValueKind.Array ? value.ValueKind.ToString() : Decoded(value.GetRawText, "JSON");
        return text.Length <= 40 ? text : text[..40] + "...";
    }

    // Strings are decoded when they are read, and then only does it show that one is not UTF-8 or holds half a surrogate pair.
    private static string Decoded(Func<string> read, string where)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"{where}: expected text in UTF-8: {error.Message}", error);
        }
    }
}
