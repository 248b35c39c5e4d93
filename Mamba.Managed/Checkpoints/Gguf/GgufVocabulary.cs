using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The tokenizer of a GGUF file, as data.</summary>
/// <param name="Model">The kind of tokenizer: <c>gpt2</c> for byte-level BPE.</param>
/// <param name="Pre">The pre-tokenizer that splits text before merging, for example <c>olmo</c> or <c>gpt-2</c>; null if the file does not name one.</param>
/// <param name="Tokens">The text of each id; for byte-level BPE in GPT-2's byte alphabet, see <see cref="ByteAlphabet"/>.</param>
/// <param name="TokenTypes">The type of each id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty if the file has none.</param>
/// <param name="Merges">Pairs of token texts, separated by a space, in order of priority.</param>
internal sealed record GgufVocabulary(
    string Model,
    string? Pre,
    IReadOnlyList<string> Tokens,
    IReadOnlyList<int> TokenTypes,
    IReadOnlyList<string> Merges)
{
    /// <summary>The <see cref="Model"/> of a file without a tokenizer.</summary>
    internal const string NoModel = "no_vocab";

    /// <summary>The <see cref="Model"/> of byte-level BPE.</summary>
    internal const string BytePairModel = "gpt2";

    /// <summary>The <see cref="Pre"/> of GPT-2's own split, without normalization.</summary>
    internal const string PlainSplit = "gpt-2";

    /// <summary>The type of a token of the vocabulary.</summary>
    internal const int Normal = 1;

    /// <summary>The type of an id without a token.</summary>
    internal const int Unused = 5;

    private const string Prefix = "tokenizer.ggml.";
    private const string ModelKey = Prefix + "model";
    private const string PreKey = Prefix + "pre";
    private const string TokensKey = Prefix + "tokens";
    private const string TypesKey = Prefix + "token_type";
    private const string MergesKey = Prefix + "merges";
    private const string StartKey = Prefix + "bos_token_id";
    private const string EndKey = Prefix + "eos_token_id";
    private const string UnknownKey = Prefix + "unknown_token_id";

    /// <summary>The token that begins a text, if the file names one.</summary>
    public int? StartTokenId { get; init; }

    /// <summary>The token that ends a text, if the file names one.</summary>
    public int? EndTokenId { get; init; }

    /// <summary>The token for unknown text, if the file names one.</summary>
    public int? UnknownTokenId { get; init; }

    /// <summary>Whether this is the tokenizer of <see cref="OfBytes"/>.</summary>
    internal bool IsBytes => Merges.Count == 0 && Tokens.SequenceEqual(OfBytes().Tokens);

    /// <summary>The tokenizer in a file's metadata; null if there is none.</summary>
    /// <exception cref="InvalidDataException">A value has the wrong type, or an id is out of range.</exception>
    public static GgufVocabulary? Read(GgufMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        if (metadata.GetString(ModelKey) is not { } model || model == NoModel || !metadata.ContainsKey(TokensKey))
        {
            return null;
        }

        string[] tokens = metadata.GetStrings(TokensKey);
        int[] types = metadata.GetIntegers(TypesKey);
        return types.Length == 0 || types.Length == tokens.Length
            ? new(model, metadata.GetString(PreKey), tokens, types, metadata.GetStrings(MergesKey))
            {
                StartTokenId = Id(StartKey),
                EndTokenId = Id(EndKey),
                UnknownTokenId = Id(UnknownKey),
            }
            : throw new InvalidDataException(Throw.Invariant($"{TypesKey}: expected one for each of {tokens.Length} tokens, found {types.Length}"));

        int? Id(string key)
        {
            int id = metadata.GetInteger(key, -1);
            return id < tokens.Length ? id < 0 ? null : id
                : throw new InvalidDataException(Throw.Invariant($"{key}: expected an id below {tokens.Length}, found {id}"));
        }
    }

    /// <summary>The text of an id without a token.</summary>
    internal static string Padding(int id) => Throw.Invariant($"[PAD{id}]");

    /// <summary>The tokenizer of byte-level models: token i is byte i, and nothing is merged.</summary>
    public static GgufVocabulary OfBytes()
    {
        string[] tokens = [.. Enumerable.Range(0, ByteTokenizer.Size).Select(value => ByteAlphabet.CharacterOf((byte)value).ToString())];
        int[] types = new int[tokens.Length];
        types.AsSpan().Fill(Normal);
        return new(BytePairModel, PlainSplit, tokens, types, []);
    }

    /// <summary>Writes this tokenizer into a file's metadata.</summary>
    /// <param name="metadata">Receives the values.</param>
    /// <param name="size">Rows of the embedding: the vocabulary is padded with unused tokens to this size.</param>
    internal void Write(GgufMetadata metadata, int size)
    {
        if (Tokens.Count > size)
        {
            Throw.Argument(Throw.Invariant($"expected at most {size} tokens, as the embedding has, found {Tokens.Count}"), nameof(size));
        }

        metadata[ModelKey] = GgufValue.From(Model);
        if (Pre is not null)
        {
            metadata[PreKey] = GgufValue.From(Pre);
        }

        IEnumerable<int> types = TokenTypes.Count == 0 ? Enumerable.Repeat(Normal, Tokens.Count) : TokenTypes;
        int missing = size - Tokens.Count;
        metadata[TokensKey] = GgufValue.From((string[])[.. Tokens, .. Enumerable.Range(Tokens.Count, missing).Select(Padding)]);
        metadata[TypesKey] = GgufValue.From((int[])[.. types, .. Enumerable.Repeat(Unused, missing)]);
        metadata[MergesKey] = GgufValue.From(Merges);
        SetId(StartKey, StartTokenId);
        SetId(EndKey, EndTokenId);
        SetId(UnknownKey, UnknownTokenId);

        void SetId(string key, int? id)
        {
            if (id is { } value)
            {
                metadata[key] = GgufValue.From((uint)value);
            }
        }
    }

    /// <summary>Writes into a file's metadata that there is no tokenizer.</summary>
    internal static void WriteNone(GgufMetadata metadata, int? endTokenId)
    {
        metadata[ModelKey] = GgufValue.From(NoModel);
        if (endTokenId is { } id)
        {
            metadata[EndKey] = GgufValue.From((uint)id);
        }
    }

    /// <summary>The token that ends a text, which a file without a tokenizer may name too.</summary>
    internal static int? EndTokenIdOf(GgufMetadata metadata) => metadata.GetInteger(EndKey, -1) is int id and >= 0 ? id : null;
}
