using System.Text.Json;
using Mamba.Managed.Tokenizers.Merging;
using static Mamba.Managed.Tokenizers.TokenizerJson;

namespace Mamba.Managed.Tokenizers;

/// <summary>Reads and writes <c>tokenizer.json</c> of Hugging Face's <c>tokenizers</c> whose model is BPE.</summary>
/// <remarks>A feature that this library does not support is an error, so that no text gets other ids than those its model was trained with.</remarks>
internal static partial class TokenizerFile
{
    private const int LongestFile = 256 << 20;
    private const string EndOfText = "<|endoftext|>";
    private const string Version = "1.0";
    private const string Kind = "BPE";

    /// <summary>Reads a file.</summary>
    public static TokenizerParts Read(string path, IReadOnlyList<int>? endTokenIds) => Read(path, endTokenIds, parts => parts);

    /// <summary>Reads a file and makes something of its parts; an error of that names the file too.</summary>
    /// <remarks>The length is checked on the open file, so a link to a longer file is not followed unchecked.</remarks>
    public static T Read<T>(string path, IReadOnlyList<int>? endTokenIds, Func<TokenizerParts, T> make) =>
        UntrustedFile.Read(path, file => make(Parse(UntrustedFile.ReadText(file, LongestFile), endTokenIds)));

    /// <summary>Reads the contents of a file.</summary>
    /// <exception cref="InvalidDataException">The contents are malformed or not supported; the message is one line.</exception>
    public static TokenizerParts Parse(ReadOnlyMemory<byte> json, IReadOnlyList<int>? endTokenIds)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json[Utf8Text.MarkLength(json.Span)..]);
            return Build(document.RootElement, endTokenIds);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not valid UTF-8 or holds half a surrogate pair.
            throw new InvalidDataException($"expected a tokenizer in JSON: {error.Message}", error);
        }
    }

    private static TokenizerParts Build(JsonElement root, IReadOnlyList<int>? endTokenIds)
    {
        JsonElement model = Get(root, "model", JsonValueKind.Object) ?? throw Missing("model");
        string kind = Get(model, "type", JsonValueKind.String)?.GetString() ?? Kind;
        Throw.Unless(kind == Kind, $"model.type: expected {Kind}, found {kind}; this kind is not supported");
        OnlyKnown(root, "tokenizer.json", "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model");
        string version = Get(root, "version", JsonValueKind.String)?.GetString() ?? Version;
        Throw.Unless(version == Version, $"version: expected {Version}, found {version}; this version is not supported");
        RefuseTruncation(root);
        KeyValuePair<string, int>[] vocabulary = Vocabulary(Get(model, "vocab", JsonValueKind.Object) ?? throw Missing("model.vocab"));
        (string Left, string Right)[] merges = Merges(Get(model, "merges", JsonValueKind.Array) ?? throw Missing("model.merges"));
        AddedToken[] added = Get(root, "added_tokens", JsonValueKind.Array) is { } list ? [.. list.EnumerateArray().Select(Added)] : [];
        IReadOnlyList<int> end = endTokenIds ?? [.. added.Where(token => token.IsSpecial && token.Content == EndOfText).Select(token => token.Id).Take(1)];
        TokenizerSteps steps = new(Step(root, "normalizer"), Step(root, "pre_tokenizer"), Step(root, "post_processor"), Step(root, "decoder"));
        return new(vocabulary, merges, added, end, steps) { Options = Options(model) };
    }

    private static BpeOptions Options(JsonElement model)
    {
        OnlyKnown(
            model, "model", "type", "vocab", "merges", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges");
        bool isRandom = Get(model, "dropout", JsonValueKind.Number) is { } dropout && !(dropout.TryGetDouble(out double rate) && rate == 0);
        Throw.Unless(!isRandom, $"model.dropout: expected none, as it makes ids random, found another; set it to null");
        string? unknown = Get(model, "unk_token", JsonValueKind.String)?.GetString();
        return new()
        {
            UsesByteTokens = Flag(model, "byte_fallback", false),
            UnknownToken = unknown is "" ? null : unknown,
            FusesUnknown = Flag(model, "fuse_unk", false),
            TakesWholeWords = Flag(model, "ignore_merges", false),
            InnerPrefix = Get(model, "continuing_subword_prefix", JsonValueKind.String)?.GetString() ?? "",
            EndSuffix = Get(model, "end_of_word_suffix", JsonValueKind.String)?.GetString() ?? "",
        };
    }

    // Both would change the ids of a text: one cuts it, the other fills it up. To fill up to the longest of a batch changes no single text.
    private static void RefuseTruncation(JsonElement root)
    {
        Throw.Unless(Get(root, "truncation", JsonValueKind.Object) is null, $"truncation: expected none, as texts are never cut, found one; set it to null");
        if (Get(root, "padding", JsonValueKind.Object) is { } padding)
        {
            bool isOfBatch = padding.TryGetProperty("strategy", out JsonElement strategy) && strategy.ValueKind == JsonValueKind.String && strategy.GetString() == "BatchLongest";
            Throw.Unless(isOfBatch && Get(padding, "pad_to_multiple_of", JsonValueKind.Number) is null, $"padding: expected none, or to the longest of a batch, found a length; set it to null");
        }
    }

    // A copy that outlives the document.
    private static JsonElement? Step(JsonElement root, string name) => Get(root, name, JsonValueKind.Object)?.Clone();

    private static KeyValuePair<string, int>[] Vocabulary(JsonElement vocabulary) =>
        [.. vocabulary.EnumerateObject().Select(entry => KeyValuePair.Create(entry.Name, Id(entry.Value, "model.vocab")))];

    // Older files write a pair as one string with a space between, newer ones as an array of two.
    private static (string Left, string Right)[] Merges(JsonElement merges) => [.. merges.EnumerateArray().Select(merge => merge.ValueKind switch
    {
        JsonValueKind.String => TokenizerMerge.Parse(merge.GetString()!),
        JsonValueKind.Array when merge.GetArrayLength() == 2 && merge.EnumerateArray().All(part => part.ValueKind == JsonValueKind.String) =>
            (merge[0].GetString()!, merge[1].GetString()!),
        _ => throw new InvalidDataException($"model.merges: expected pairs of tokens, found {Excerpt(merge)}"),
    })];

    private static AddedToken Added(JsonElement token)
    {
        Throw.Unless(token.ValueKind == JsonValueKind.Object, $"added_tokens: expected objects, found {Excerpt(token)}");
        OnlyKnown(token, "added_tokens", "id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
        string content = Get(token, "content", JsonValueKind.String)?.GetString() ?? throw Missing("added_tokens.content");
        bool special = Flag(token, "special", false);
        int id = Id(Get(token, "id", JsonValueKind.Number) ?? throw Missing("added_tokens.id"), "added_tokens.id");
        return new(id, content, special, Flag(token, "normalized", !special))
        {
            StripsLeft = Flag(token, "lstrip", false),
            StripsRight = Flag(token, "rstrip", false),
            IsSingleWord = Flag(token, "single_word", false),
        };
    }
}
