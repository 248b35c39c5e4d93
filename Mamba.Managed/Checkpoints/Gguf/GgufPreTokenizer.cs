using System.Text.Encodings.Web;
using System.Text.Json;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>How a family of models splits text before merging: what <c>tokenizer.ggml.pre</c> of a GGUF file names.</summary>
/// <remarks>
/// The names are llama.cpp's (its <c>llama-vocab.cpp</c>). The steps are those of the family's own <c>tokenizer.json</c> where that is published, so that
/// a text gets the ids that its model learned, also where llama.cpp leaves out a normalization.
/// </remarks>
/// <param name="Names">The values of the key, the usual one first.</param>
/// <param name="PreTokenizer">The step that splits, as <c>tokenizer.json</c> writes it.</param>
internal sealed record GgufPreTokenizer(string[] Names, string PreTokenizer)
{
    private const string Contractions = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string LetterRest = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string CaseRest = @"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string ThreeDigits = Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + LetterRest;
    private const string OneDigit = Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + LetterRest;
    private const string Tekken = @"[^\r\n\p{L}\p{N}]?" + Upper + "*" + Lower + @"+|[^\r\n\p{L}\p{N}]?" + Upper + "+" + Lower + @"*|\p{N}" + CaseRest;

    private const string Gpt4O = @"[^\r\n\p{L}\p{N}]?" + Upper + "*" + Lower + "+" + Contractions + @"?|[^\r\n\p{L}\p{N}]?" + Upper + "+" + Lower + "*" + Contractions
        + @"?|\p{N}{1,3}" + CaseRest;

    private const string DeepSeek3 = @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Bailing = @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
    private const string SeedCoder = Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Bloom = " ?[^(\\s|.,!?…。，、।۔،)]+";
    private const string Words = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""";
    private const string Bytes = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""";
    private const string Digits = """{"type":"Digits","individual_digits":true}""";

    /// <summary>All that are known; those whose steps are equal, the usual one first.</summary>
    public static IReadOnlyList<GgufPreTokenizer> All { get; } =
    [
        new(["gpt-2", "phi-2", "jais", "trillion", "exaone4", "gigachat", "a.x-4.0", "mellum"], Words),
        new(["olmo", "default", "mpt"], Words) { Normalizes = true },
        new(
            ["falcon"],
            Sequence("""{"type":"Punctuation","behavior":"Contiguous"}""", Words, """{"type":"Digits","individual_digits":false}""", Split("[0-9][0-9][0-9]"))),
        new(["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "lfm2"], Sequence(Split(ThreeDigits), Bytes)) { TakesWholeWords = true, AddsStart = true },
        new(["dbrx", "smaug-bpe", "glm4", "chatglm-bpe", "granite-docling"], Sequence(Split(ThreeDigits), Bytes)),
        new(["qwen2", "deepseek-r1-qwen", "megrez"], Sequence(Split(OneDigit), Bytes)) { Normalizes = true },
        new(["stablelm2", "hunyuan", "grok-2"], Sequence(Split(OneDigit), Bytes)),
        new(["refact", "starcoder", "smollm", "codeshell", "exaone", "minerva-7b"], Sequence(Digits, Words)),
        new(["command-r"], Sequence(Digits, Words)) { Normalizes = true },
        new(["tekken"], Sequence(Split(Tekken), Bytes)) { TakesWholeWords = true, AddsStart = true },
        new(["gpt-4o", "llama4", "minimax-m2"], Sequence(Split(Gpt4O), Bytes)),
        new(
            ["deepseek-coder"],
            Sequence(Split(@"[\r\n]"), Split(@"\s?\p{L}+"), Split(@"\s?\p{P}+"), Split("[一-龥ࠀ-一가-퟿]+"), Digits, Bytes)),
        new(["deepseek-v3", "hunyuan-dense"], Sequence(Split(@"\p{N}{1,3}"), Split("[一-龥぀-ゟ゠-ヿ]+"), Split(DeepSeek3), Bytes)),
        new(["bloom", "poro-chat", "gpt3-finnish"], Sequence(Split(Bloom), Bytes)),
        new(["viking"], Sequence(Split(Bloom), Digits, Bytes)),
        new(["bailingmoe", "bailingmoe2", "llada-moe"], Sequence(Split(Bailing), Bytes)),
        new(["seed-coder"], Sequence(Split(SeedCoder), Bytes)),
    ];

    /// <summary>Whether text is normalized to Unicode form C before.</summary>
    public bool Normalizes { get; init; }

    /// <summary>Whether a word that is a token as a whole is that token, whatever the merges make of it.</summary>
    public bool TakesWholeWords { get; init; }

    /// <summary>Whether the token that begins a text is added where the file does not say so, and names such a token.</summary>
    public bool AddsStart { get; init; }

    /// <summary>The pre-tokenizer that a file names; that of GPT-NeoX, which published Mamba models use, where it names none.</summary>
    /// <exception cref="InvalidDataException">The name is not known: other splitting would give other ids without a word.</exception>
    public static GgufPreTokenizer Of(string? name)
    {
        string wanted = name ?? "default";
        return All.FirstOrDefault(known => known.Names.Contains(wanted)) ?? throw new InvalidDataException(
            $"{GgufVocabulary.PreKey}: expected a pre-tokenizer that is known ({Shortened.List(All.Select(known => known.Names[0]))}), found {Shortened.Text(wanted)}; without its way of splitting texts would get other ids than the model learned");
    }

    /// <summary>The pre-tokenizer that splits as the steps of a <c>tokenizer.json</c> do; null where none does.</summary>
    public static GgufPreTokenizer? Of(TokenizerSteps steps, bool takesWholeWords)
    {
        (string normalizer, string splitter) = (StepMeaning.Of(steps.Normalizer), StepMeaning.Of(steps.PreTokenizer));
        return All.FirstOrDefault(known => known.TakesWholeWords == takesWholeWords
            && StepMeaning.Of(known.Steps(null).Normalizer) == normalizer && StepMeaning.Of(known.Steps(null).PreTokenizer) == splitter);
    }

    /// <summary>The steps.</summary>
    /// <param name="template">What adds tokens around a text; null for nothing.</param>
    public TokenizerSteps Steps(JsonElement? template)
    {
        TokenizerSteps words = TokenizerSteps.ByteLevel(Normalizes);
        return words with { PreTokenizer = TokenizerSteps.Parse(PreTokenizer), PostProcessor = template ?? words.PostProcessor };
    }

    private static string Split(string expression) =>
        $$"""{"type":"Split","pattern":{"Regex":"{{JsonEncodedText.Encode(expression, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}}"},"behavior":"Isolated","invert":false}""";

    private static string Sequence(params string[] steps) => $$"""{"type":"Sequence","pretokenizers":[{{string.Join(',', steps)}}]}""";
}
