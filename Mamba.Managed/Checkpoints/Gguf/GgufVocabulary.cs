namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The tokenizer that a GGUF file carries, as data.</summary>
/// <param name="Model">The kind of tokenizer: <c>gpt2</c> for byte-level BPE.</param>
/// <param name="Pre">How text is split before merging, as <c>olmo</c> or <c>gpt-2</c>; null where the file does not say.</param>
/// <param name="Tokens">The text of each id; of byte-level BPE in GPT-2's alphabet, one letter a byte.</param>
/// <param name="TokenTypes">What each id is: 1 normal, 2 unknown, 3 control, 4 added by a user, 5 unused, 6 a byte. Empty where the file does not say.</param>
/// <param name="Merges">Pairs of token texts with a space between, the first to be merged first.</param>
internal sealed record GgufVocabulary(
    string Model,
    string? Pre,
    IReadOnlyList<string> Tokens,
    IReadOnlyList<int> TokenTypes,
    IReadOnlyList<string> Merges)
{
    /// <summary>What the model of a file without a tokenizer is called.</summary>
    internal const string NoModel = "no_vocab";

    private const string Prefix = "tokenizer.ggml.";
    private const string ModelKey = Prefix + "model";
    private const string PreKey = Prefix + "pre";
    private const string TokensKey = Prefix + "tokens";
    private const string TypesKey = Prefix + "token_type";
    private const string MergesKey = Prefix + "merges";
    private const string StartKey = Prefix + "bos_token_id";
    private const string EndKey = Prefix + "eos_token_id";
    private const string UnknownKey = Prefix + "unknown_token_id";
    private const int Normal = 1;
    private const int Unused = 5;

    /// <summary>Token that begins a text, where the file names one.</summary>
    public int? StartTokenId { get; init; }

    /// <summary>Token that ends a text, where the file names one.</summary>
    public int? EndTokenId { get; init; }

    /// <summary>Token of what the tokenizer does not know, where the file names one.</summary>
    public int? UnknownTokenId { get; init; }

    /// <summary>Whether this is the tokenizer of <see cref="OfBytes"/>.</summary>
    internal bool IsBytes => Merges.Count == 0 && Tokens.SequenceEqual(OfBytes().Tokens);

    /// <summary>The tokenizer in a file's metadata; null where there is none.</summary>
    /// <exception cref="InvalidDataException">A value is of another type than the format asks for, or an id is no token's.</exception>
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

    /// <summary>The tokenizer of models that read bytes: token i is byte i, and nothing is merged.</summary>
    public static GgufVocabulary OfBytes()
    {
        // GPT-2 writes printable bytes as themselves and the others as the letters from U+0100 on.
        string[] tokens = new string[256];
        for (int i = 0, next = 0x100; i < tokens.Length; i++)
        {
            bool isPrintable = i is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            tokens[i] = ((char)(isPrintable ? i : next++)).ToString();
        }

        int[] types = new int[256];
        types.AsSpan().Fill(Normal);
        return new("gpt2", "gpt-2", tokens, types, []);
    }

    /// <summary>Writes this tokenizer into a file's metadata.</summary>
    /// <param name="metadata">Takes the values.</param>
    /// <param name="size">Rows of the embedding: unused tokens fill up to it.</param>
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
        metadata[TokensKey] = GgufValue.From((string[])[.. Tokens, .. Enumerable.Range(Tokens.Count, missing).Select(i => Throw.Invariant($"[PAD{i}]"))]);
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

    /// <summary>Says in a file's metadata that there is no tokenizer.</summary>
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
