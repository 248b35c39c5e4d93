using System.Text.Json;
using static Mamba.Managed.Tokenizers.TokenizerJson;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Reads the normalizer of <c>tokenizer.json</c>.</summary>
internal static class NormalizerJson
{
    private const string Where = "normalizer";
    private const int DeepestNesting = 16;

    /// <summary>The normalizer, or null where there is none.</summary>
    /// <exception cref="InvalidDataException">Its kind or one of its fields is not supported.</exception>
    public static INormalizer? Read(JsonElement? json) => json is { ValueKind: not JsonValueKind.Null } normalizer ? Read(normalizer, 0) : null;

    private static INormalizer Read(JsonElement json, int depth)
    {
        Throw.Unless(depth < DeepestNesting, $"{Where}: expected at most {DeepestNesting} sequences within each other, found more");
        string kind = Text(json, "type", Where);
        switch (kind)
        {
            case "Sequence":
                OnlyKnown(json, Where, "type", "normalizers");
                JsonElement parts = Get(json, "normalizers", JsonValueKind.Array) ?? throw Missing($"{Where}.normalizers");
                return new NormalizerSequence([.. parts.EnumerateArray().Select(part => Read(part, depth + 1))]);
            case "Prepend":
                OnlyKnown(json, Where, "type", "prepend");
                return new PrependNormalizer(Text(json, "prepend", Where));
            case "Replace":
                OnlyKnown(json, Where, "type", "pattern", "content");
                JsonElement pattern = Get(json, "pattern", JsonValueKind.Object) ?? throw Missing($"{Where}.pattern");
                return new ReplaceNormalizer(PreTokenizerJson.ReadPattern(pattern, Where), Text(json, "content", Where));
            case "Strip":
                OnlyKnown(json, Where, "type", "strip_left", "strip_right");
                return new StripNormalizer(Flag(json, "strip_left", true), Flag(json, "strip_right", true));
            default:
                INormalizer plain = Plain(kind);
                OnlyKnown(json, Where, "type");
                return plain;
        }
    }

    private static INormalizer Plain(string kind) => kind switch
    {
        "NFC" => UnicodeForm.C,
        "NFD" => UnicodeForm.D,
        "NFKC" => UnicodeForm.KC,
        "NFKD" => UnicodeForm.KD,
        "Lowercase" => new LowercaseNormalizer(),
        "StripAccents" => new StripAccentsNormalizer(),
        _ => throw new InvalidDataException(
            $"{Where}.type: expected Sequence, NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip, Lowercase or StripAccents, found {kind}; this kind is not supported"),
    };
}
