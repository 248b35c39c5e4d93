using System.Text.Json;
using static Mamba.Managed.Tokenizers.TokenizerJson;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Reads the normalizer of <c>tokenizer.json</c>.</summary>
internal static class NormalizerJson
{
    private const string Where = "normalizer";

    /// <summary>The normalizer, or null where there is none.</summary>
    /// <exception cref="InvalidDataException">Its kind or one of its fields is not supported.</exception>
    public static INormalizer? Read(JsonElement? json)
    {
        if (json is not { ValueKind: not JsonValueKind.Null } normalizer)
        {
            return null;
        }

        string kind = Text(normalizer, "type", Where);
        throw new InvalidDataException($"{Where}.type: expected NFC, found {kind}; this kind is not supported");
    }
}
