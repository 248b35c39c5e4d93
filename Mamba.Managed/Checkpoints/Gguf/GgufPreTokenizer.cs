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
    private const string Bloom = " ?[^(\\s|[.,!?…。，、।۔،])]+";
    private const string Qwen35 =
        Contractions + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Han = "[一-龥ࠀ-一가-퟿]+";

    // Letters that have a case.
    private const string DeepSeekLetters =
        "[A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376\u0377"
        + "\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5"
        + "\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D"
        + "\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4"
        + "\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D"
        + "\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4"
        + "\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06"
        + "\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\U00010400-\U0001044F\U000104B0-\U000104D3\U000104D8-\U000104FB\U00010C80-\U00010CB2"
        + "\U00010CC0-\U00010CF2\U000118A0-\U000118DF\U0001E900-\U0001E943]+";

    private const string Words = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""";
    private const string Bytes = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""";
    private const string Digits = """{"type":"Digits","individual_digits":true}""";

    /// <summary>All that are known; those whose steps are equal, the usual one first.</summary>
    public static IReadOnlyList<GgufPreTokenizer> All { get; } =
    [
        new(["gpt-2", "phi-2", "jais", "trillion", "exaone4", "gigachat", "a.x-4.0", "mellum"], Words),
        new(["olmo", "default", "mpt", "gpt-neox"], Words) { Normalizes = true },
        new(
            ["falcon"],
            Sequence("""{"type":"Punctuation","behavior":"Contiguous"}""", Words, """{"type":"Digits","individual_digits":false}""", Split("[0-9][0-9][0-9]"))),
        new(["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "lfm2", "midm-2.0"], Sequence(Split(ThreeDigits), Bytes)) { TakesWholeWords = true, AddsStart = true },
        new(["glm4", "glm5"], Sequence(Split(ThreeDigits), Bytes)) { TakesWholeWords = true },
        new(["dbrx", "smaug-bpe", "chatglm-bpe", "granite-docling"], Sequence(Split(ThreeDigits), Bytes)),
        new(["qwen2", "deepseek-r1-qwen", "megrez", "stablelm2"], Sequence(Split(OneDigit), Bytes)) { Normalizes = true },
        new(["hunyuan", "grok-2", "kormo", "solar-open"], Sequence(Split(OneDigit), Bytes)),
        new(["qwen35"], Sequence(Split(Qwen35), Bytes)) { Normalizes = true },
        new(["refact", "starcoder", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"], Sequence(Digits, Words)),
        new(["command-r"], Sequence(Digits, Words)) { Normalizes = true },
        new(["tekken"], Sequence(Split(Tekken), Bytes)) { TakesWholeWords = true, AddsStart = true },
        new(["gpt-4o", "llama4", "minimax-m2", "kanana2"], Sequence(Split(Gpt4O), Bytes)),
        new(
            ["deepseek-llm"],
            Sequence(Split(@"[\r\n]"), Split(@"\s?" + DeepSeekLetters), Split(@"\s?[!-/:-~！-／：-～‘-‟　-。]+"), Split(@"\s+$"), Split(Han), Digits, Bytes)),
        new(
            ["deepseek-coder"],
            Sequence(Split(@"[\r\n]"), Split(@"\s?\p{L}+"), Split(@"\s?\p{P}+"), Split(Han), Digits, Bytes)),
        new(["deepseek-v3", "hunyuan-dense", "joyai-llm"], Sequence(Split(@"\p{N}{1,3}"), Split("[一-龥぀-ゟ゠-ヿ]+"), Split(DeepSeek3), Bytes)),
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
        return All.FirstOrDefault(known => known.TakesWholeWords == takesWholeWords && known.Steps(null) is var own
            && StepMeaning.Of(own.Normalizer) == normalizer && StepMeaning.Of(own.PreTokenizer) == splitter);
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
