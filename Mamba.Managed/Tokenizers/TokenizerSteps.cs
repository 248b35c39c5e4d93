using System.Text.Json;

namespace Mamba.Managed.Tokenizers;

/// <summary>What happens to a text before and after merging, as <c>tokenizer.json</c> writes it; null for nothing.</summary>
/// <param name="Normalizer">Changes the text before it is split.</param>
/// <param name="PreTokenizer">Splits it into words.</param>
/// <param name="PostProcessor">Adds tokens around it.</param>
/// <param name="Decoder">From tokens to text.</param>
internal sealed record TokenizerSteps(JsonElement? Normalizer, JsonElement? PreTokenizer, JsonElement? PostProcessor, JsonElement? Decoder)
{
    private const string ByteLevelStep = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""";
    private const string FormCStep = """{"type":"NFC"}""";

    /// <summary>The steps of GPT-2's tokenizer, byte-level words.</summary>
    /// <param name="normalizes">Whether text is normalized to Unicode form C, as GPT-NeoX does.</param>
    public static TokenizerSteps ByteLevel(bool normalizes)
    {
        JsonElement step = Parse(ByteLevelStep);
        return new(normalizes ? Parse(FormCStep) : null, step, step, step);
    }

    /// <summary>A step from its text.</summary>
    public static JsonElement Parse(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
