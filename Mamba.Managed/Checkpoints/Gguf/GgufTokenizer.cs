using System.Text.Json;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Tokenizers.Merging;

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

        (string Left, string Right)[] merges = [.. vocabulary.Merges.Select(TokenizerMerge.Parse)];
        return new(tokens, merges, added, vocabulary.EndTokenIds, TokenizerSteps.ByteLevel(vocabulary.Pre != GgufVocabulary.PlainSplit));
    }

    /// <summary>The parts in the form of a GGUF file.</summary>
    /// <exception cref="InvalidDataException">The parts contradict each other.</exception>
    public static GgufVocabulary ToGguf(this TokenizerParts parts)
    {
        // The tokenizer's constructor checks that ids are unique and without large gaps.
        int size = parts.ToTokenizer().VocabularySize;
        string pre = PreOf(parts);
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

        return new(GgufVocabulary.BytePairModel, pre, tokens, types, [.. parts.Merges.Select(TokenizerMerge.Join)])
        {
            StartTokenId = parts.EndTokenIds is [int first, ..] ? first : null,
            EndTokenId = parts.EndTokenIds is [int end, ..] ? end : null,
            EndOfTurnTokenId = parts.EndTokenIds is [_, int turn, ..] ? turn : null,
            EndOfMessageTokenId = parts.EndTokenIds is [_, _, int message, ..] ? message : null,
        };
    }

    // What a GGUF file has no words for is refused, so that a converted model gives the same ids.
    private static string PreOf(TokenizerParts parts)
    {
        Throw.Unless(parts.Options == new BpeOptions(), $"model: expected BPE without options for a GGUF file, found some; this is not supported");
        AddedToken? flagged = parts.Added.FirstOrDefault(token => token.StripsLeft || token.StripsRight || token.IsSingleWord);
        Throw.Unless(flagged is null, $"added_tokens: expected single_word, lstrip and rstrip false for a GGUF file, found another for '{flagged?.Content}'");
        Throw.Unless(SequenceTemplate.Read(parts.Steps.PostProcessor).IsEmpty, $"post_processor: expected none that adds tokens for a GGUF file, found one; this is not supported");
        return IsByteLevel(parts.Steps.PreTokenizer) && IsByteLevel(parts.Steps.Decoder, ofDecoder: true)
            ? parts.Steps.Normalizer is null ? GgufVocabulary.PlainSplit
                : Kind(parts.Steps.Normalizer) == "NFC" ? Normalized
                : throw new InvalidDataException($"normalizer: expected none or NFC for a GGUF file, found {Kind(parts.Steps.Normalizer)}; this is not supported")
            : throw new InvalidDataException("pre_tokenizer and decoder: expected ByteLevel for a GGUF file, found another kind; this is not supported");
    }

    private static bool IsByteLevel(JsonElement? step, bool ofDecoder = false) => Kind(step) == "ByteLevel"
        && (ofDecoder || (!TokenizerJson.Flag(step!.Value, "add_prefix_space", true) && TokenizerJson.Flag(step.Value, "use_regex", true)));

    private static string? Kind(JsonElement? step) => step is { } value ? TokenizerJson.Get(value, "type", JsonValueKind.String)?.GetString() : null;
}
