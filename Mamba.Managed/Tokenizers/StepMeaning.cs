using System.Text.Json;

namespace Mamba.Managed.Tokenizers;

/// <summary>What a step of a <c>tokenizer.json</c> does, as a text: two steps with equal texts do the same.</summary>
/// <remarks>Defaults are spelled out, sequences flattened, and what changes neither ids nor text is left out.</remarks>
internal static class StepMeaning
{
    // Where a key is absent.
    private static readonly Dictionary<string, string> defaults = new()
    {
        ["ByteLevel.add_prefix_space"] = "true",
        ["ByteLevel.use_regex"] = "true",
        ["Digits.individual_digits"] = "false",
        ["Punctuation.behavior"] = "\"Isolated\"",
        ["Split.invert"] = "false",
    };

    /// <summary>The meaning; empty for no step.</summary>
    public static string Of(JsonElement? step) => step is { ValueKind: JsonValueKind.Object } value ? string.Join('\n', Parts(value)) : "";

    private static IEnumerable<string> Parts(JsonElement step)
    {
        string kind = TokenizerJson.Text(step, "type", "step");
        JsonProperty inner = step.EnumerateObject().FirstOrDefault(field => field.Value.ValueKind == JsonValueKind.Array);
        return kind == "Sequence" && inner.Value.ValueKind == JsonValueKind.Array ? inner.Value.EnumerateArray().SelectMany(Parts) : [One(kind, step)];
    }

    private static string One(string kind, JsonElement step)
    {
        SortedDictionary<string, string> fields = new(StringComparer.Ordinal);
        foreach ((string key, string value) in defaults.Where(entry => entry.Key.StartsWith(kind + ".", StringComparison.Ordinal)))
        {
            fields[key[(kind.Length + 1)..]] = value;
        }

        foreach (JsonProperty field in step.EnumerateObject().Where(field => field.Name is not ("type" or "trim_offsets")))
        {
            fields[field.Name] = Value(field.Value);
        }

        return kind + string.Concat(fields.Select(field => $" {field.Key}={field.Value}"));
    }

    // Escapes in the text of a file have no meaning of their own.
    private static string Value(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => $"\"{value.GetString()}\"",
        JsonValueKind.Object => string.Join(' ', value.EnumerateObject().Select(field => $"{field.Name}:{Value(field.Value)}")),
        _ => value.GetRawText(),
    };
}
