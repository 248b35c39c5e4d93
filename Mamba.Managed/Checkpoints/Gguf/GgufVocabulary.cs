using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The tokenizer of a GGUF file, as data.</summary>
/// <param name="Model">The kind of tokenizer: <c>gpt2</c> for byte-level BPE, <c>llama</c> for SentencePiece.</param>
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

    /// <summary>The <see cref="Model"/> of SentencePiece's byte-pair encoding.</summary>
    internal const string SentencePieceModel = "llama";

    /// <summary>The <see cref="Pre"/> of GPT-2's own split, without normalization.</summary>
    internal const string PlainSplit = "gpt-2";

    /// <summary>The type of a token of the vocabulary.</summary>
    internal const int Normal = (int)PieceKind.Normal;

    /// <summary>The type of a token that steers a conversation and is no text.</summary>
    internal const int Control = (int)PieceKind.Control;

    /// <summary>The type of a token that is found in the text as a whole.</summary>
    internal const int UserDefined = (int)PieceKind.UserDefined;

    /// <summary>The type of an id without a token.</summary>
    internal const int Unused = (int)PieceKind.Unused;

    /// <summary>What the keys of a vocabulary begin with.</summary>
    internal const string Prefix = "tokenizer.ggml.";

    /// <summary>The key of <see cref="Pre"/>.</summary>
    internal const string PreKey = Prefix + "pre";

    /// <summary>The key of <see cref="AddsStart"/>.</summary>
    internal const string AddsStartKey = Prefix + "add_bos_token";

    /// <summary>The key of <see cref="AddsEnd"/>.</summary>
    internal const string AddsEndKey = Prefix + "add_eos_token";

    /// <summary>The key of <see cref="AddsSpacePrefix"/>.</summary>
    internal const string AddsSpacePrefixKey = Prefix + "add_space_prefix";

    private const string ModelKey = Prefix + "model";
    private const string TokensKey = Prefix + "tokens";
    private const string TypesKey = Prefix + "token_type";
    private const string MergesKey = Prefix + "merges";
    private const string ScoresKey = Prefix + "scores";
    private const string ExtraSpacesKey = Prefix + "remove_extra_whitespaces";
    private const string CharacterMapKey = Prefix + "precompiled_charsmap";
    private const string AddsSeparatorKey = Prefix + "add_sep_token";
    private const string StartKey = Prefix + "bos_token_id";
    private const string EndKey = Prefix + "eos_token_id";
    private const string EndOfTurnKey = Prefix + "eot_token_id";
    private const string EndOfMessageKey = Prefix + "eom_token_id";
    private const string UnknownKey = Prefix + "unknown_token_id";
    private const string PaddingKey = Prefix + "padding_token_id";

    // Keys that name tokens for uses other than encoding a text, or count what is there.
    private static readonly string[] withoutEffect =
    [
        "seperator_token_id", "cls_token_id", "mask_token_id", "prefix_token_id", "suffix_token_id", "middle_token_id", "fim_pre_token_id", "fim_suf_token_id",
        "fim_mid_token_id", "fim_pad_token_id", "fim_rep_token_id", "fim_sep_token_id", "token_type_count",
    ];

    // Tokens by which llama.cpp ends a text wherever a vocabulary has them, because few files name the end of a turn by its id.
    private static readonly string[] endsOfTurns =
    [
        "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|end_of_turn|>", "<end_of_utterance>",
        "<EOT>", "_<EOT>", "<|EOT|>", "<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>",
    ];

    /// <summary>The score of each token of SentencePiece; empty if the file has none.</summary>
    public IReadOnlyList<float> Scores { get; init; } = [];

    /// <summary>Whether <see cref="StartTokenId"/> goes before each text; null where the file does not say so.</summary>
    public bool? AddsStart { get; init; }

    /// <summary>Whether <see cref="EndTokenId"/> goes after each text; null where the file does not say so.</summary>
    public bool? AddsEnd { get; init; }

    /// <summary>Whether a space goes before each text; null where the file does not say so.</summary>
    public bool? AddsSpacePrefix { get; init; }

    /// <summary>Whether several spaces become one.</summary>
    public bool RemovesExtraSpaces { get; init; }

    /// <summary>The token that begins a text, if the file names one.</summary>
    public int? StartTokenId { get; init; }

    /// <summary>The token that ends a text, if the file names one.</summary>
    public int? EndTokenId { get; init; }

    /// <summary>The token that ends a turn of a conversation, if the file names one.</summary>
    public int? EndOfTurnTokenId { get; init; }

    /// <summary>The token that ends a message within a turn, if the file names one.</summary>
    public int? EndOfMessageTokenId { get; init; }

    /// <summary>The token for unknown text, if the file names one.</summary>
    public int? UnknownTokenId { get; init; }

    /// <summary>The token that fills up batches, if the file names one.</summary>
    public int? PaddingTokenId { get; init; }

    /// <summary>All tokens that end a text, the usual one first: those that the file names by their ids, then control tokens that are known by their text.</summary>
    public IReadOnlyList<int> EndTokenIds
    {
        get
        {
            IEnumerable<int> named = ((int?[])[EndTokenId, EndOfTurnTokenId, EndOfMessageTokenId]).OfType<int>();
            IEnumerable<int> known = TokenTypes.Index().Where(type => type.Item == Control && endsOfTurns.Contains(Tokens[type.Index])).Select(type => type.Index);
            return [.. named.Concat(known).Distinct()];
        }
    }

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

        RequireKnown(metadata);
        string[] tokens = metadata.GetStrings(TokensKey);
        int[] types = metadata.GetIntegers(TypesKey);
        return types.Length == 0 || types.Length == tokens.Length
            ? new(model, metadata.GetString(PreKey), tokens, types, metadata.GetStrings(MergesKey))
            {
                Scores = metadata.GetNumbers(ScoresKey),
                AddsStart = Flag(AddsStartKey),
                AddsEnd = Flag(AddsEndKey),
                AddsSpacePrefix = Flag(AddsSpacePrefixKey),
                RemovesExtraSpaces = metadata.GetBoolean(ExtraSpacesKey),
                StartTokenId = Id(StartKey),
                EndTokenId = Id(EndKey),
                EndOfTurnTokenId = Id(EndOfTurnKey),
                EndOfMessageTokenId = Id(EndOfMessageKey),
                UnknownTokenId = Id(UnknownKey),
                PaddingTokenId = IsAbsent(PaddingKey) ? null : Id(PaddingKey),
            }
            : throw new InvalidDataException(Throw.Invariant($"{TypesKey}: expected one for each of {tokens.Length} tokens, found {types.Length}"));

        bool? Flag(string key) => metadata.ContainsKey(key) ? metadata.GetBoolean(key) : null;

        int? Id(string key)
        {
            long id = metadata.GetWholeNumber(key) ?? -1;
            return id < tokens.Length ? id < 0 ? null : (int)id
                : throw new InvalidDataException(Throw.Invariant($"{key}: expected an id below {tokens.Length}, found {id}"));
        }

        // Writers that have no such token write -1, which is this number where it is unsigned.
        bool IsAbsent(string key) => metadata.GetWholeNumber(key) is uint.MaxValue;
    }

    /// <summary>Whether a key of a file is one of a vocabulary.</summary>
    internal static bool IsKey(string key) =>
        key is ModelKey or PreKey or TokensKey or TypesKey or MergesKey or ScoresKey or AddsStartKey or AddsEndKey or AddsSpacePrefixKey or ExtraSpacesKey or StartKey or EndKey or EndOfTurnKey or EndOfMessageKey or UnknownKey or PaddingKey;

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
        if (Scores.Count > 0)
        {
            metadata[ScoresKey] = GgufValue.From((float[])[.. Scores, .. Enumerable.Repeat(0f, missing)]);
        }

        SetFlag(AddsStartKey, AddsStart);
        SetFlag(AddsEndKey, AddsEnd);
        SetFlag(AddsSpacePrefixKey, AddsSpacePrefix);
        SetFlag(ExtraSpacesKey, RemovesExtraSpaces ? true : null);
        SetId(StartKey, StartTokenId);
        SetId(EndKey, EndTokenId);
        SetId(EndOfTurnKey, EndOfTurnTokenId);
        SetId(EndOfMessageKey, EndOfMessageTokenId);
        SetId(UnknownKey, UnknownTokenId);
        SetId(PaddingKey, PaddingTokenId);

        void SetId(string key, int? id)
        {
            if (id is { } value)
            {
                metadata[key] = GgufValue.From((uint)value);
            }
        }

        void SetFlag(string key, bool? flag)
        {
            if (flag is { } value)
            {
                metadata[key] = GgufValue.From(value);
            }
        }
    }

    // A key that is not known may change the ids of a text.
    private static void RequireKnown(GgufMetadata metadata)
    {
        foreach (string key in metadata.Keys.Where(key => key.StartsWith(Prefix, StringComparison.Ordinal) && !IsKey(key)))
        {
            bool isNothing = withoutEffect.Contains(key[Prefix.Length..])
                || (key == AddsSeparatorKey && !metadata.GetBoolean(key))
                || (key == CharacterMapKey && metadata.GetIntegers(key).Length == 0);
            Throw.Unless(isNothing, $"{Shortened.Text(key)}: expected keys of a tokenizer that are known, found another; this is not supported");
        }
    }

    /// <summary>Writes into a file's metadata that there is no tokenizer; the ids of the configuration are kept.</summary>
    internal static void WriteNone(GgufMetadata metadata, MambaConfig config)
    {
        metadata[ModelKey] = GgufValue.From(NoModel);
        SetId(StartKey, config.BeginTokenId);
        SetId(PaddingKey, config.PadTokenId);
        foreach ((string key, int id) in ((string[])[EndKey, EndOfTurnKey, EndOfMessageKey]).Zip(config.EndTokenIds))
        {
            SetId(key, id);
        }

        void SetId(string key, int? id)
        {
            if (id is { } value and >= 0)
            {
                metadata[key] = GgufValue.From((uint)value);
            }
        }
    }

    /// <summary>A configuration with the ids that a file names, with a tokenizer or without; they are not checked, as nothing but a tokenizer needs them.</summary>
    internal static MambaConfig WithIds(MambaConfig config, GgufMetadata metadata)
    {
        return config with
        {
            BeginTokenId = Id(StartKey),
            PadTokenId = Id(PaddingKey),
            EndTokenIds = [.. ((int?[])[Id(EndKey), Id(EndOfTurnKey), Id(EndOfMessageKey)]).OfType<int>()],
        };

        int? Id(string key) => metadata.GetWholeNumber(key) is { } id and >= 0 ? (int)Math.Min(id, int.MaxValue) : null;
    }
}
