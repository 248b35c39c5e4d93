using System.Text.Encodings.Web;
using System.Text.Json;

namespace Mamba.Managed.Tokenizers;

/// <summary>Reads and writes <c>tokenizer.json</c> of Hugging Face's <c>tokenizers</c> as far as byte-level BPE needs it.</summary>
/// <remarks>A feature that this library does not support is an error, so that no text gets other ids than those its model was trained with.</remarks>
internal static class TokenizerFile
{
    private const int LongestFile = 256 << 20;
    private const string EndOfText = "<|endoftext|>";

    /// <summary>Reads a file.</summary>
    /// <remarks>The length is checked on the open file, so a link to a longer file is not followed unchecked.</remarks>
    public static TokenizerParts Read(string path, IReadOnlyList<int>? endTokenIds) =>
        UntrustedFile.Read(path, file => Parse(UntrustedFile.ReadText(file, LongestFile), endTokenIds));

    /// <summary>Reads the contents of a file.</summary>
    /// <exception cref="InvalidDataException">The contents are malformed or not supported; the message is one line.</exception>
    public static TokenizerParts Parse(ReadOnlyMemory<byte> json, IReadOnlyList<int>? endTokenIds)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            return Build(document.RootElement, endTokenIds);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not valid UTF-8 or holds half a surrogate pair.
            throw new InvalidDataException($"expected a tokenizer in JSON: {error.Message}", error);
        }
    }

    /// <summary>Writes a file; replaced as a whole when it exists.</summary>
    public static void Write(string path, TokenizerParts parts) => AtomicFile.Write(path, stream =>
    {
        // Characters of the byte alphabet are written unescaped, as other writers do, so that the file is readable.
        using Utf8JsonWriter json = new(stream, new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach (AddedToken token in parts.Added)
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", false);
            json.WriteBoolean("lstrip", false);
            json.WriteBoolean("rstrip", false);
            json.WriteBoolean("normalized", token.IsNormalized);
            json.WriteBoolean("special", token.IsSpecial);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        if (parts.Normalizes)
        {
            json.WriteStartObject("normalizer");
            json.WriteString("type", "NFC");
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("normalizer");
        }

        foreach (string name in (string[])["pre_tokenizer", "post_processor", "decoder"])
        {
            json.WriteStartObject(name);
            json.WriteString("type", "ByteLevel");
            json.WriteBoolean("add_prefix_space", false);
            json.WriteBoolean("trim_offsets", true);
            json.WriteBoolean("use_regex", true);
            json.WriteEndObject();
        }

        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteStartObject("vocab");
        foreach ((string token, int id) in parts.Vocabulary)
        {
            json.WriteNumber(token, id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (string merge in parts.Merges)
        {
            json.WriteStringValue(merge);
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    });

    private static TokenizerParts Build(JsonElement root, IReadOnlyList<int>? endTokenIds)
    {
        JsonElement model = Get(root, "model", JsonValueKind.Object) ?? throw Missing("model");
        Expect(model, "type", "BPE", "model");
        foreach (string unused in (string[])["unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
        {
            string text = Get(model, unused, JsonValueKind.String)?.GetString() ?? "";
            Throw.Unless(text.Length == 0, $"model.{unused}: expected none, found '{text}'; this kind is not supported");
        }

        foreach (string unused in (string[])["dropout", "byte_fallback", "ignore_merges"])
        {
            bool none = !model.TryGetProperty(unused, out JsonElement value) || value.ValueKind is JsonValueKind.Null or JsonValueKind.False
                || (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number == 0);
            Throw.Unless(none, $"model.{unused}: expected none; this kind is not supported");
        }

        JsonElement splitter = Get(root, "pre_tokenizer", JsonValueKind.Object) ?? throw Missing("pre_tokenizer");
        Expect(splitter, "type", "ByteLevel", "pre_tokenizer");
        Throw.Unless(!Flag(splitter, "add_prefix_space", true) && Flag(splitter, "use_regex", true), $"pre_tokenizer: expected add_prefix_space false and use_regex true");
        JsonElement decoder = Get(root, "decoder", JsonValueKind.Object) ?? throw Missing("decoder");
        Expect(decoder, "type", "ByteLevel", "decoder");
        JsonElement? processor = Get(root, "post_processor", JsonValueKind.Object);
        if (processor is not null)
        {
            Expect(processor.Value, "type", "ByteLevel", "post_processor");
        }

        JsonElement? normalizer = Get(root, "normalizer", JsonValueKind.Object);
        if (normalizer is not null)
        {
            Expect(normalizer.Value, "type", "NFC", "normalizer");
        }

        KeyValuePair<string, int>[] vocabulary = Vocabulary(Get(model, "vocab", JsonValueKind.Object) ?? throw Missing("model.vocab"));
        string[] merges = Merges(Get(model, "merges", JsonValueKind.Array) ?? throw Missing("model.merges"));
        AddedToken[] added = Get(root, "added_tokens", JsonValueKind.Array) is { } list ? [.. list.EnumerateArray().Select(Added)] : [];
        IReadOnlyList<int> end = endTokenIds ?? [.. added.Where(token => token.IsSpecial && token.Content == EndOfText).Select(token => token.Id).Take(1)];
        return new(vocabulary, merges, added, end, normalizer is not null);
    }

    private static KeyValuePair<string, int>[] Vocabulary(JsonElement vocabulary) =>
        [.. vocabulary.EnumerateObject().Select(entry => KeyValuePair.Create(entry.Name, Id(entry.Value, "model.vocab")))];

    // Older files write a pair as one string with a space between, newer ones as an array of two.
    private static string[] Merges(JsonElement merges) => [.. merges.EnumerateArray().Select(merge => merge.ValueKind switch
    {
        JsonValueKind.String => merge.GetString()!,
        JsonValueKind.Array when merge.GetArrayLength() == 2 && merge.EnumerateArray().All(part => part.ValueKind == JsonValueKind.String) =>
            $"{merge[0].GetString()} {merge[1].GetString()}",
        _ => throw new InvalidDataException($"model.merges: expected pairs of tokens, found {Excerpt(merge)}"),
    })];

    private static AddedToken Added(JsonElement token)
    {
        Throw.Unless(token.ValueKind == JsonValueKind.Object, $"added_tokens: expected objects, found {Excerpt(token)}");
        string content = Get(token, "content", JsonValueKind.String)?.GetString() ?? throw Missing("added_tokens.content");
        bool plain = !Flag(token, "single_word", false) && !Flag(token, "lstrip", false) && !Flag(token, "rstrip", false);
        Throw.Unless(plain, $"added_tokens: expected single_word, lstrip and rstrip false for '{content}'; this kind is not supported");
        bool special = Flag(token, "special", false);
        int id = Id(Get(token, "id", JsonValueKind.Number) ?? throw Missing("added_tokens.id"), "added_tokens.id");
        return new(id, content, special, Flag(token, "normalized", !special));
    }

    private static int Id(JsonElement value, string where)
    {
        int id = 0;
        Throw.Unless(value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out id), $"{where}: expected whole numbers below 2^31, found {Excerpt(value)}");
        return id;
    }

    private static bool Flag(JsonElement parent, string name, bool otherwise)
    {
        if (!parent.TryGetProperty(name, out JsonElement value))
        {
            return otherwise;
        }

        Throw.Unless(value.ValueKind is JsonValueKind.True or JsonValueKind.False, $"{name}: expected true or false, found {Excerpt(value)}");
        return value.GetBoolean();
    }

    private static void Expect(JsonElement parent, string name, string expected, string where)
    {
        string found = Get(parent, name, JsonValueKind.String)?.GetString() ?? "nothing";
        Throw.Unless(found == expected, $"{where}.{name}: expected {expected}, found {found}; this kind is not supported");
    }

    private static JsonElement? Get(JsonElement parent, string name, JsonValueKind kind)
    {
        Throw.Unless(parent.ValueKind == JsonValueKind.Object, $"expected an object with {name}, found {Excerpt(parent)}");
        if (!parent.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        Throw.Unless(value.ValueKind == kind, $"{name}: expected {kind}, found {Excerpt(value)}");
        return value;
    }

    private static InvalidDataException Missing(string name) => new($"{name}: expected it in the file, found nothing");

    private static string Excerpt(JsonElement value)
    {
        string text = value.ValueKind is JsonValueKind.Object or JsonValueKind.Array ? value.ValueKind.ToString() : value.GetRawText();
        return text.Length <= 40 ? text : text[..40] + "...";
    }
}
