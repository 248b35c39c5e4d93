using System.Text.Encodings.Web;
using System.Text.Json;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints;

/// <summary>Carries what a folder has beside its weights into the metadata of a GGUF file, and back.</summary>
internal static class GgufSideFiles
{
    // What the metadata hold of each file.
    private static readonly Dictionary<string, string[]> heldFields = new()
    {
        [FolderTokens.TokenizerConfig] =
        [
            "bos_token", "eos_token", "unk_token", "pad_token", "add_bos_token", "add_eos_token", "added_tokens_decoder", "tokenizer_class", ChatTemplates.Field,
        ],
        [FolderTokens.SpecialTokens] = ["bos_token", "eos_token", "unk_token", "pad_token"],
        [FolderTokens.GenerationConfig] = ["_from_model_config", "transformers_version", "bos_token_id", "eos_token_id", "pad_token_id"],
    };

    // Keys that describe the weights of the old file, which the new one has not.
    private static readonly string[] replaced = ["general.file_type", "general.quantization_version", "general.alignment", "split.", "quantize."];

    /// <summary>The vocabulary of a folder's tokenizer and the other values for a GGUF file; no vocabulary where there is no tokenizer.</summary>
    /// <exception cref="InvalidDataException">A file is malformed, or the tokenizer of a kind that is not supported.</exception>
    public static (GgufVocabulary? Vocabulary, IReadOnlyList<KeyValuePair<string, GgufValue>> More) OfFolder(string folder, MambaConfig config)
    {
        List<KeyValuePair<string, GgufValue>> more = [.. ChatTemplates.ToMetadata(ChatTemplates.OfFolder(folder))];
        if (!ModelTokenizer.IsIn(folder))
        {
            return (null, more);
        }

        (TokenizerParts parts, FolderTokens beside) = ModelTokenizer.PartsOfFolder(folder, config);
        beside.RequireAgreement(parts);
        GgufVocabulary vocabulary = parts.ToGguf();
        int? start = beside.IdOf("bos_token", parts) ?? config.BeginTokenId, padding = beside.IdOf("pad_token", parts) ?? config.PadTokenId;
        vocabulary = vocabulary with
        {
            StartTokenId = vocabulary.AddsStart != true && IsToken(start) ? start : vocabulary.StartTokenId,
            AddsStart = vocabulary.AddsStart ?? (beside.Adds("add_bos_token") is null ? null : false),
            AddsEnd = vocabulary.AddsEnd ?? (beside.Adds("add_eos_token") is null ? null : false),
            PaddingTokenId = IsToken(padding) ? padding : vocabulary.PaddingTokenId,
            UnknownTokenId = beside.IdOf("unk_token", parts) ?? vocabulary.UnknownTokenId,
        };
        return (vocabulary, more);

        bool IsToken(int? id) => id is { } value && (uint)value < (uint)vocabulary.Tokens.Count;
    }

    /// <summary>The values of a GGUF file that go into the next one, where it does not write its own.</summary>
    public static IEnumerable<KeyValuePair<string, GgufValue>> OfFile(GgufMetadata metadata) =>
        metadata.Where(entry => !replaced.Any(prefix => entry.Key.StartsWith(prefix, StringComparison.Ordinal)));

    /// <summary>What a folder has that a GGUF file made of it has not: files, and fields of the files that it has in part.</summary>
    public static IReadOnlyList<string> LeftBehind(string folder)
    {
        // The vocabulary in other forms holds nothing more.
        string[] held = [ModelTokenizer.FileName, ChatTemplates.File, ChatTemplates.OlderFile, "added_tokens.json", "vocab.json", "merges.txt", SentencePieceFile.Name];
        List<string> left = [];
        foreach ((string name, string[] fields) in heldFields)
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path))
            {
                string[] others = UntrustedFile.ReadJson(path, 1 << 24, json => json.EnumerateObject().Select(field => field.Name).Except(fields).ToArray());
                left.AddRange(others.Length == 0 ? [] : [$"{name} ({string.Join(", ", Shortened.Items(others))})"]);
            }
        }

        return [.. left, .. SideFiles.LeftBehind(folder, [.. held, .. heldFields.Keys])];
    }

    /// <summary>What writes the files of a folder that hold the tokenizer and the tokens of a GGUF file.</summary>
    /// <param name="metadata">The file's.</param>
    /// <param name="config">The model's configuration.</param>
    /// <returns>
    /// Takes a folder that exists, in which files of a model that was there before are replaced or removed; returns the keys of the tokenizer that the folder
    /// has no place for.
    /// </returns>
    /// <exception cref="InvalidDataException">The tokenizer is of a kind that is not supported.</exception>
    public static Func<string, IReadOnlyList<string>> ToFolder(GgufMetadata metadata, MambaConfig config)
    {
        GgufVocabulary? vocabulary = GgufVocabulary.Read(metadata);
        TokenizerParts? parts = vocabulary is null or { IsBytes: true } ? null : vocabulary.ToParts();
        IReadOnlyDictionary<string, string> templates = ChatTemplates.OfFile(metadata);

        // Found out before anything is written.
        _ = parts?.ToTokenizer();
        return folder => Write(folder, metadata, config, vocabulary, parts, templates);
    }

    private static IReadOnlyList<string> Write(
        string folder, GgufMetadata metadata, MambaConfig config, GgufVocabulary? vocabulary, TokenizerParts? parts, IReadOnlyDictionary<string, string> templates)
    {
        List<string> written = [];
        if (parts is not null)
        {
            TokenizerFile.Write(Path.Combine(folder, ModelTokenizer.FileName), parts);
            written.Add(ModelTokenizer.FileName);
            WriteJson(FolderTokens.TokenizerConfig, json => WriteTokenizerConfig(json, vocabulary!, templates));
        }

        if (parts is not null || config.EndTokenIds.Count > 0)
        {
            WriteJson(FolderTokens.GenerationConfig, json => WriteGenerationConfig(json, config, vocabulary is null or { IsBytes: true } ? config.EndTokenIds : vocabulary.EndTokenIds));
        }

        SideFiles.RemoveOthers(folder, written);
        return Shortened.Items(metadata.Keys.Where(key => key.StartsWith("tokenizer.", StringComparison.Ordinal) && !IsHeld(key)));

        void WriteJson(string name, Action<Utf8JsonWriter> fields)
        {
            AtomicFile.Write(Path.Combine(folder, name), stream =>
            {
                using Utf8JsonWriter json = new(stream, new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
                json.WriteStartObject();
                fields(json);
                json.WriteEndObject();
            });
            written.Add(name);
        }

        bool IsHeld(string key) => GgufVocabulary.IsKey(key) || (ChatTemplates.IsKey(key) && parts is not null);
    }

    private static void WriteTokenizerConfig(Utf8JsonWriter json, GgufVocabulary tokens, IReadOnlyDictionary<string, string> templates)
    {
        json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
        foreach ((string name, int? id) in ((string, int?)[])
            [("bos_token", tokens.StartTokenId), ("eos_token", tokens.EndTokenId), ("unk_token", tokens.UnknownTokenId), ("pad_token", tokens.PaddingTokenId)])
        {
            // An ordinary token, as the id 0 that some writers put into every configuration, must not be cut out of texts.
            if (id is { } token && tokens.TokenTypes.ElementAtOrDefault(token) > GgufVocabulary.Normal)
            {
                json.WriteString(name, tokens.Tokens[token]);
            }
        }

        foreach ((string name, bool? flag) in ((string, bool?)[])[("add_bos_token", tokens.AddsStart), ("add_eos_token", tokens.AddsEnd)])
        {
            if (flag is { } isAdded)
            {
                json.WriteBoolean(name, isAdded);
            }
        }

        ChatTemplates.Write(json, templates);
    }

    private static void WriteGenerationConfig(Utf8JsonWriter json, MambaConfig config, IReadOnlyList<int> ends)
    {
        foreach ((string name, int? id) in ((string, int?)[])[("bos_token_id", config.BeginTokenId), ("pad_token_id", config.PadTokenId)])
        {
            if (id is { } token)
            {
                json.WriteNumber(name, token);
            }
        }

        json.WriteStartArray("eos_token_id");
        foreach (int end in ends)
        {
            json.WriteNumberValue(end);
        }

        json.WriteEndArray();
    }
}
