using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>Tokenizers as a GGUF file holds them: bytes, or byte-level BPE.</summary>
internal static class GgufTokenizer
{
    private const string GgufModel = "gpt2";

    // Names of llama.cpp, where both split words alike: GPT-NeoX's family, which has form C before, and GPT-2's own.
    private const string Normalized = "olmo";
    private const string AsItComes = "gpt-2";

    private const int Normal = 1;
    private const int Control = 3;
    private const int UserDefined = 4;
    private const int Unused = 5;

    /// <summary>The tokenizer.</summary>
    /// <exception cref="InvalidDataException">It is of a kind that is not supported, or contradicts itself.</exception>
    public static Tokenizer ToTokenizer(this GgufVocabulary vocabulary) =>
        vocabulary.IsBytes ? new ByteTokenizer() : vocabulary.ToParts().ToTokenizer();

    /// <summary>The parts that a GGUF file holds.</summary>
    /// <exception cref="InvalidDataException">The tokenizer is of another kind.</exception>
    public static TokenizerParts ToParts(this GgufVocabulary vocabulary)
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

    /// <summary>The parts as a GGUF file holds them.</summary>
    /// <exception cref="InvalidDataException">The parts contradict each other.</exception>
    public static GgufVocabulary ToGguf(this TokenizerParts parts)
    {
        // Making the tokenizer checks that ids are unique and near each other.
        int size = parts.ToTokenizer().VocabularySize;
        string[] tokens = [.. Enumerable.Range(0, size).Select(i => Throw.Invariant($"[PAD{i}]"))];
        int[] types = new int[size];
        types.AsSpan().Fill(Unused);
        foreach ((string token, int id) in parts.Vocabulary)
        {
            (tokens[id], types[id]) = (token, Normal);
        }

        foreach (AddedToken token in parts.Added)
        {
            (tokens[token.Id], types[token.Id]) = (token.Content, token.IsSpecial ? Control : UserDefined);
        }

        return new(GgufModel, parts.Normalizes ? Normalized : AsItComes, tokens, types, [.. parts.Merges])
        {
            StartTokenId = parts.EndTokenId,
            EndTokenId = parts.EndTokenId,
        };
    }
}
