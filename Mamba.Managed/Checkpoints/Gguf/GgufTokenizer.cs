using System.Text.Json;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Tokenizers.Merging;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>Converts tokenizers from and to the form of GGUF files: bytes, byte-level BPE, or SentencePiece.</summary>
internal static class GgufTokenizer
{
    /// <summary>The tokenizer.</summary>
    /// <exception cref="InvalidDataException">It is of a kind that is not supported, or contradicts itself.</exception>
    public static Tokenizer ToTokenizer(this GgufVocabulary vocabulary) =>
        vocabulary.IsBytes && vocabulary.Template(false, false) is null ? ByteTokenizer.EndingWith(vocabulary.EndTokenIds) : vocabulary.ToParts().ToTokenizer();

    /// <summary>The parts of a GGUF file's tokenizer.</summary>
    /// <exception cref="InvalidDataException">The tokenizer is of another kind, or asks for what is not supported.</exception>
    public static TokenizerParts ToParts(this GgufVocabulary vocabulary) => vocabulary.Model switch
    {
        GgufVocabulary.BytePairModel => vocabulary.OfBytePairs(),
        GgufVocabulary.SentencePieceModel => vocabulary.OfSentencePiece(),
        _ => throw new InvalidDataException(
            $"{GgufVocabulary.Prefix}model: expected {GgufVocabulary.BytePairModel} (byte-level BPE) or {GgufVocabulary.SentencePieceModel} (SentencePiece), found {Shortened.Text(vocabulary.Model)}; this kind is not supported"),
    };

    /// <summary>The parts in the form of a GGUF file.</summary>
    /// <exception cref="InvalidDataException">The parts contradict each other, or a GGUF file has no words for what they do.</exception>
    public static GgufVocabulary ToGguf(this TokenizerParts parts)
    {
        // The tokenizer's constructor checks that ids are unique and without large gaps.
        int size = parts.ToTokenizer().VocabularySize;
        GgufVocabulary vocabulary = parts.Options.UsesByteTokens ? GgufSentencePiece.OfParts(parts, size) : OfBytePairs(parts, size);
        SequenceTemplate template = SequenceTemplate.Read(parts.Steps.PostProcessor);
        int? end = parts.EndTokenIds is [int first, ..] ? first : null;
        Throw.Unless(
            template.Before.Count <= 1 && (template.After.Count == 0 || (template.After is [int last] && last == end)),
            $"post_processor: expected at most one token before a text, and after it only the one that ends it, for a GGUF file; found others; this is not supported");
        return vocabulary with
        {
            StartTokenId = template.Before is [int start] ? start : end,
            AddsStart = template.Before.Count > 0 || vocabulary.AddsStart == true ? template.Before.Count > 0 : null,
            AddsEnd = template.After.Count > 0 ? true : null,
            EndTokenId = end,
            EndOfTurnTokenId = parts.EndTokenIds is [_, int turn, ..] ? turn : null,
            EndOfMessageTokenId = parts.EndTokenIds is [_, _, int message, ..] ? message : null,
        };
    }

    /// <summary>The tokens and their types by id, with padding where there is none.</summary>
    internal static (string[] Tokens, int[] Types) Table(TokenizerParts parts, int size)
    {
        AddedToken? flagged = parts.Added.FirstOrDefault(token => token.StripsLeft || token.StripsRight || token.IsSingleWord);
        Throw.Unless(flagged is null, $"added_tokens: expected single_word, lstrip and rstrip false for a GGUF file, found another for '{flagged?.Content}'");
        string[] tokens = [.. Enumerable.Range(0, size).Select(GgufVocabulary.Padding)];
        int[] types = new int[size];
        types.AsSpan().Fill(GgufVocabulary.Unused);
        foreach ((string token, int id) in parts.Vocabulary)
        {
            (tokens[id], types[id]) = (token, GgufVocabulary.Normal);
        }

        foreach (AddedToken token in parts.Added)
        {
            (tokens[token.Id], types[token.Id]) = (token.Content, token.IsSpecial ? GgufVocabulary.Control : GgufVocabulary.UserDefined);
        }

        return (tokens, types);
    }

    /// <summary>What adds the tokens around a text that a file asks for; null for nothing.</summary>
    /// <param name="vocabulary">The file's.</param>
    /// <param name="addsStart">Whether the first is added where the file names it and does not say so.</param>
    /// <param name="addsEnd">Whether the last is.</param>
    private static JsonElement? Template(this GgufVocabulary vocabulary, bool addsStart, bool addsEnd)
    {
        return SequenceTemplate.Json(
            Token(vocabulary.AddsStart, addsStart, vocabulary.StartTokenId, GgufVocabulary.AddsStartKey, "bos_token_id"),
            Token(vocabulary.AddsEnd, addsEnd, vocabulary.EndTokenId, GgufVocabulary.AddsEndKey, "eos_token_id"));

        (string, int)? Token(bool? isAsked, bool otherwise, int? id, string key, string idKey)
        {
            Throw.Unless(isAsked != true || id is not null, $"{key}: expected {GgufVocabulary.Prefix}{idKey} beside it, found none; the token to add is not known");
            return (isAsked ?? otherwise) && id is { } token ? (vocabulary.Tokens[token], token) : null;
        }
    }

    private static TokenizerParts OfBytePairs(this GgufVocabulary vocabulary)
    {
        GgufPreTokenizer family = GgufPreTokenizer.Of(vocabulary.Pre);
        Throw.Unless(vocabulary.AddsSpacePrefix != true, $"{GgufVocabulary.AddsSpacePrefixKey}: expected false for byte-level BPE, found true; this is not supported");
        List<KeyValuePair<string, int>> tokens = [];
        List<AddedToken> added = [];
        foreach ((int id, string token) in vocabulary.Tokens.Index())
        {
            switch (vocabulary.TokenTypes.Count == 0 ? GgufVocabulary.Normal : vocabulary.TokenTypes[id])
            {
                case (int)PieceKind.Unknown or GgufVocabulary.Control:
                    added.Add(new(id, token, IsSpecial: true, IsNormalized: false));
                    break;
                case GgufVocabulary.UserDefined:
                    added.Add(new(id, token, IsSpecial: false, IsNormalized: true));
                    break;
                case GgufVocabulary.Unused:
                    break;
                case 0 or GgufVocabulary.Normal or (int)PieceKind.Byte:
                    tokens.Add(new(token, id));
                    break;
                case int type:
                    throw UnknownType(type, id);
            }
        }

        (string Left, string Right)[] merges = [.. vocabulary.Merges.Select(TokenizerMerge.Parse)];
        return new(tokens, merges, added, vocabulary.EndTokenIds, family.Steps(vocabulary.Template(family.AddsStart, addsEnd: false)))
        {
            Options = new BpeOptions { TakesWholeWords = family.TakesWholeWords },
        };
    }

    private static TokenizerParts OfSentencePiece(this GgufVocabulary vocabulary)
    {
        Throw.Unless(
            vocabulary.Scores.Count == vocabulary.Tokens.Count,
            $"{GgufVocabulary.Prefix}scores: expected one for each of {vocabulary.Tokens.Count} tokens, found {vocabulary.Scores.Count}");
        Piece[] pieces = [.. vocabulary.Tokens.Select((text, id) => new Piece(text, vocabulary.Scores[id], Kind(id)))];
        return new SentencePieceVocabulary(pieces) { AddsSpacePrefix = vocabulary.AddsSpacePrefix ?? true, RemovesExtraSpaces = vocabulary.RemovesExtraSpaces }
            .ToParts(vocabulary.Template(addsStart: true, addsEnd: false), vocabulary.EndTokenIds);

        PieceKind Kind(int id) => (PieceKind)(vocabulary.TokenTypes.Count == 0 ? GgufVocabulary.Normal : vocabulary.TokenTypes[id]) is var kind && Enum.IsDefined(kind)
            ? kind
            : throw UnknownType((int)kind, id);
    }

    private static GgufVocabulary OfBytePairs(TokenizerParts parts, int size)
    {
        bool isPlain = parts.Options with { TakesWholeWords = false } == new BpeOptions();
        Throw.Unless(isPlain, $"model: expected BPE without options beside ignore_merges for a GGUF file, found others; this is not supported");
        Throw.Unless(
            StepMeaning.Of(parts.Steps.Decoder).StartsWith("ByteLevel", StringComparison.Ordinal), $"decoder: expected ByteLevel for a GGUF file, found another; this is not supported");
        GgufPreTokenizer family = GgufPreTokenizer.Of(parts.Steps, parts.Options.TakesWholeWords) ?? throw new InvalidDataException(
            "normalizer and pre_tokenizer: expected steps that a GGUF file has a name for, found others; this is not supported");
        (string[] tokens, int[] types) = Table(parts, size);
        return new(GgufVocabulary.BytePairModel, family.Names[0], tokens, types, [.. parts.Merges.Select(TokenizerMerge.Join)]) { AddsStart = family.AddsStart ? true : null };
    }

    private static InvalidDataException UnknownType(int type, int id) =>
        new(Throw.Invariant($"{GgufVocabulary.Prefix}token_type: expected 1 to 6, found {type} for token {id}"));
}
