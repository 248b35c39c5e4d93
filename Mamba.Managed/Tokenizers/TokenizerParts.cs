using Mamba.Managed.Checkpoints.Gguf;

namespace Mamba.Managed.Tokenizers;

/// <summary>What a byte-level BPE tokenizer is made of, and what files of either kind hold of it.</summary>
/// <param name="Vocabulary">Each token, written in GPT-2's byte alphabet, with its id.</param>
/// <param name="Merges">The pairs of tokens that merge, with a space between; first those that merge first.</param>
/// <param name="Added">Tokens found in the text as it stands.</param>
/// <param name="EndTokenId">The token that ends a text, if any.</param>
/// <param name="Normalizes">Whether text is brought to Unicode form C.</param>
internal sealed record TokenizerParts(
    IReadOnlyCollection<KeyValuePair<string, int>> Vocabulary,
    IReadOnlyCollection<string> Merges,
    IReadOnlyCollection<AddedToken> Added,
    int? EndTokenId,
    bool Normalizes)
{
    private const string GgufModel = "gpt2";

    // Names of llama.cpp, where both split words alike: GPT-NeoX's family, which has form C before, and GPT-2's own.
    private const string Normalized = "olmo";
    private const string AsItComes = "gpt-2";

    private const int Normal = 1;
    private const int Control = 3;
    private const int UserDefined = 4;
    private const int Unused = 5;

    /// <summary>The parts that a GGUF file holds.</summary>
    /// <exception cref="InvalidDataException">The tokenizer is of another kind.</exception>
    public static TokenizerParts FromGguf(GgufVocabulary vocabulary)
    {
        if (vocabulary.Model != GgufModel)
        {
            throw new InvalidDataException($"expected a tokenizer of model {GgufModel} (byte-level BPE), found {vocabulary.Model}");
        }

        List<KeyValuePair<string, int>> tokens = [];
        List<AddedToken> added = [];
        foreach ((int id, string token) in vocabulary.Tokens.Index())
        {
            switch (vocabulary.TokenTypes.Count == 0 ? 0 : vocabulary.TokenTypes[id])
            {
                case Control:
                    added.Add(new(id, token, IsSpecial: true, IsNormalized: false));
                    break;
                case UserDefined:
                    added.Add(new(id, token, IsSpecial: false, IsNormalized: true));
                    break;
                case Unused:
                    break;
                default:
                    tokens.Add(new(token, id));
                    break;
            }
        }

        return new(tokens, vocabulary.Merges, added, vocabulary.EndTokenId, vocabulary.Pre != AsItComes);
    }

    /// <summary>The tokenizer.</summary>
    /// <exception cref="InvalidDataException">The parts contradict each other.</exception>
    public BpeTokenizer ToTokenizer() => new(this);

    /// <summary>The parts as a GGUF file holds them.</summary>
    /// <exception cref="InvalidDataException">The parts contradict each other.</exception>
    public GgufVocabulary ToGguf()
    {
        // Making the tokenizer checks that ids are unique and near each other.
        int size = ToTokenizer().VocabularySize;
        string[] tokens = [.. Enumerable.Range(0, size).Select(i => Throw.Invariant($"[PAD{i}]"))];
        int[] types = new int[size];
        types.AsSpan().Fill(Unused);
        foreach ((string token, int id) in Vocabulary)
        {
            (tokens[id], types[id]) = (token, Normal);
        }

        foreach (AddedToken token in Added)
        {
            (tokens[token.Id], types[token.Id]) = (token.Content, token.IsSpecial ? Control : UserDefined);
        }

        return new(GgufModel, Normalizes ? Normalized : AsItComes, tokens, types, [.. Merges])
        {
            StartTokenId = EndTokenId,
            EndTokenId = EndTokenId,
        };
    }
}
