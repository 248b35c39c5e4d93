using System.Text.Json;
using static Mamba.Managed.Tokenizers.TokenizerJson;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Reads the pre-tokenizer of <c>tokenizer.json</c>.</summary>
internal static class PreTokenizerJson
{
    private const string Where = "pre_tokenizer";

    /// <summary>The pre-tokenizer, or null where there is none.</summary>
    /// <exception cref="InvalidDataException">Its kind or one of its fields is not supported.</exception>
    public static IPreTokenizer? Read(JsonElement? json)
    {
        if (json is not { ValueKind: not JsonValueKind.Null } splitter)
        {
            return null;
        }

        string kind = Text(splitter, "type", Where);
        if (kind == "ByteLevel")
        {
            Throw.Unless(!Flag(splitter, "add_prefix_space", true), $"{Where}: expected add_prefix_space false");
            return new ByteLevelWords(Flag(splitter, "use_regex", true));
        }

        throw new InvalidDataException($"{Where}.type: expected ByteLevel, found {kind}; this kind is not supported");
    }
}
