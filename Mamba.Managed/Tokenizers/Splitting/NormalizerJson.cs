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
        if (kind == "NFC")
        {
            CanonicalComposition composition = CanonicalComposition.Load();
            return new Composed(composition);
        }

        if (kind == "Sequence")
        {
            return new All([.. normalizer.GetProperty("normalizers").EnumerateArray().Select(one => Read(one)!)]);
        }

        if (kind == "Prepend")
        {
            return new Prepended(Text(normalizer, "prepend", Where));
        }

        if (kind == "Replace")
        {
            return new Replaced(Text(normalizer.GetProperty("pattern"), "String", Where), Text(normalizer, "content", Where));
        }

        throw new InvalidDataException($"{Where}.type: expected NFC, found {kind}; this kind is not supported");
    }

    private sealed class Composed(CanonicalComposition composition) : INormalizer
    {
        public string Normalize(string text) => composition.Normalize(text);
    }

    private sealed class All(INormalizer[] all) : INormalizer
    {
        public string Normalize(string text) => all.Aggregate(text, (part, one) => one.Normalize(part));
    }

    private sealed class Prepended(string start) : INormalizer
    {
        public string Normalize(string text) => text.Length == 0 ? text : start + text;
    }

    private sealed class Replaced(string pattern, string content) : INormalizer
    {
        public string Normalize(string text) => text.Replace(pattern, content, StringComparison.Ordinal);
    }
}
