using Mamba.Managed.Tokenizers;
using Mamba.Managed.Tokenizers.Merging;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>Writes a tokenizer of characters with byte tokens, as <c>tokenizer.json</c> has it for SentencePiece, as scores of a GGUF file.</summary>
internal static class GgufSentencePiece
{
    /// <summary>The vocabulary.</summary>
    /// <exception cref="InvalidDataException">Scores cannot say what the merges do, or the steps are not those of SentencePiece.</exception>
    public static GgufVocabulary OfParts(TokenizerParts parts, int size)
    {
        (string[] tokens, int[] types) = GgufTokenizer.Table(parts, size);
        for (int id = 0; id < size; id++)
        {
            if (tokens[id] is ['<', '0', 'x', _, _, '>'] && types[id] != GgufVocabulary.Unused)
            {
                types[id] = (int)PieceKind.Byte;
            }
            else if (tokens[id] == parts.Options.UnknownToken)
            {
                types[id] = (int)PieceKind.Unknown;
            }
        }

        float[] scores = Scores(parts, tokens, types);
        GgufVocabulary found = new(GgufVocabulary.SentencePieceModel, "default", tokens, types, []) { Scores = scores, AddsStart = true };
        foreach (bool addsPrefix in (bool[])[true, false])
        {
            found = found with { AddsSpacePrefix = addsPrefix };
            if (IsSame(parts, (found with { AddsStart = false }).ToParts()))
            {
                return found;
            }
        }

        throw new InvalidDataException("tokenizer.json: expected the steps and merges of a SentencePiece model, which scores can say, for a GGUF file; found others; this is not supported");
    }

    // A piece goes the earlier the first of the merges that make it does.
    private static float[] Scores(TokenizerParts parts, string[] tokens, int[] types)
    {
        Dictionary<string, int> first = new(StringComparer.Ordinal);
        foreach ((int rank, (string left, string right)) in parts.Merges.Index())
        {
            first.TryAdd(left + right, parts.Ranks?[rank] ?? rank);
        }

        // A character that nothing makes has the lowest score, as trainers give it.
        return [.. tokens.Select((token, id) => types[id] == GgufVocabulary.Normal ? -(float)first.GetValueOrDefault(token, parts.Merges.Count) : 0)];
    }

    private static bool IsSame(TokenizerParts parts, TokenizerParts written) =>
        StepMeaning.Of(parts.Steps.Normalizer) == StepMeaning.Of(written.Steps.Normalizer)
        && StepMeaning.Of(parts.Steps.PreTokenizer) == StepMeaning.Of(written.Steps.PreTokenizer)
        && StepMeaning.Of(parts.Steps.Decoder) == StepMeaning.Of(written.Steps.Decoder)
        && parts.Options == written.Options
        && SameMerges(parts.Merges, written.Merges);

    // The same pairs, and pieces in the same order.
    private static bool SameMerges(IReadOnlyCollection<(string Left, string Right)> merges, IReadOnlyCollection<(string Left, string Right)> written) =>
        merges.Count == written.Count
        && merges.ToHashSet().SetEquals(written)
        && merges.Select(merge => merge.Left + merge.Right).SequenceEqual(written.Select(merge => merge.Left + merge.Right));
}
