using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>Converts tokenizers from and to the form of GGUF files: bytes, or byte-level BPE.</summary>
internal static class GgufTokenizer
{
    // A pre-tokenizer of llama.cpp that splits words as GPT-2's does, for the GPT-NeoX family, which normalizes text to form C before.
    private const string Normalized = "olmo";

    private const int UserDefined = 4;

    /// <summary>The tokenizer.</summary>
    /// <exception cref="InvalidDataException">It is of a kind that is not supported, or contradicts itself.</exception>
    public static Tokenizer ToTokenizer(this GgufVocabulary vocabulary) =>
        vocabulary.IsBytes ? ByteTokenizer.EndingWith(vocabulary.EndTokenIds) : vocabulary.ToParts().ToTokenizer();

    /// <summary>The parts of a GGUF file's tokenizer.</summary>
    /// <exception cref="InvalidDataException">The tokenizer is of another kind.</exception>
    public static TokenizerParts ToParts(this GgufVocabulary vocabulary)
    {
        if (vocabulary.Model != GgufVocabulary.BytePairModel)
        {
            throw new InvalidDataException($"expected a tokenizer of model {GgufVocabulary.BytePairModel} (byte-level BPE), found {vocabulary.Model}");
        }

        List<KeyValuePair<string, int>> tokens = [];
        List<AddedToken> added = [];
        foreach ((int id, string token) in vocabulary.Tokens.Index())
        {
            switch (vocabulary.TokenTypes.Count == 0 ? 0 : vocabulary.TokenTypes[id])
            {
                case GgufVocabulary.Control:
                    added.Add(new(id, token, IsSpecial: true, IsNormalized: false));
                    break;
                case UserDefined:
                    added.Add(new(id, token, IsSpecial: false, IsNormalized: true));
                    break;
                case GgufVocabulary.Unused:
                    break;
                default:
                    tokens.Add(new(token, id));
                    break;
            }
        }

        return new(tokens, vocabulary.Merges, added, vocabulary.EndTokenIds, vocabulary.Pre != GgufVocabulary.PlainSplit);
    }

    /// <summary>The parts in the form of a GGUF file.</summary>
    /// <exception cref="InvalidDataException">The parts contradict each other.</exception>
    public static GgufVocabulary ToGguf(this TokenizerParts parts)
    {
        // The tokenizer's constructor checks that ids are unique and without large gaps.
        int size = parts.ToTokenizer().VocabularySize;
        string[] tokens = [.. Enumerable.Range(0, size).Select(GgufVocabulary.Padding)];
        int[] types = new int[size];
        types.AsSpan().Fill(GgufVocabulary.Unused);
        foreach ((string token, int id) in parts.Vocabulary)
        {
            (tokens[id], types[id]) = (token, GgufVocabulary.Normal);
        }

        foreach (AddedToken token in parts.Added)
        {
            (tokens[token.Id], types[token.Id]) = (token.Content, token.IsSpecial ? GgufVocabulary.Control : UserDefined);
        }

        return new(GgufVocabulary.BytePairModel, parts.Normalizes ? Normalized : GgufVocabulary.PlainSplit, tokens, types, [.. parts.Merges])
        {
            StartTokenId = parts.EndTokenIds is [int first, ..] ? first : null,
            EndTokenId = parts.EndTokenIds is [int end, ..] ? end : null,
            EndOfTurnTokenId = parts.EndTokenIds is [_, int turn, ..] ? turn : null,
            EndOfMessageTokenId = parts.EndTokenIds is [_, _, int message, ..] ? message : null,
        };
    }
}
