using System.Text;
using System.Text.Json;
using Mamba.Managed.Tokenizers.Merging;

namespace Mamba.Managed.Tokenizers;

/// <summary>What a piece of SentencePiece is; the numbers are those of its files and of GGUF.</summary>
internal enum PieceKind
{
    /// <summary>Text, which merges make.</summary>
    Normal = 1,

    /// <summary>Stands for text that is no piece.</summary>
    Unknown = 2,

    /// <summary>A token that is no text.</summary>
    Control = 3,

    /// <summary>Found in the text as a whole.</summary>
    UserDefined = 4,

    /// <summary>An id without a piece.</summary>
    Unused = 5,

    /// <summary>One byte of a character that is no piece.</summary>
    Byte = 6,
}

/// <summary>One piece; its id is its place in the vocabulary.</summary>
/// <param name="Text">With U+2581 for a space.</param>
/// <param name="Score">Of two merges, the one that makes the piece of the higher score goes first.</param>
/// <param name="Kind">What it is.</param>
internal readonly record struct Piece(string Text, float Score, PieceKind Kind);

/// <summary>A vocabulary of SentencePiece's byte-pair encoding: that of <c>tokenizer.model</c>, and of GGUF files whose tokenizer is <c>llama</c>.</summary>
/// <remarks>
/// Kudo and Richardson 2018. It becomes the parts that Hugging Face's library would have for it. The merges are all pairs of pieces that make a piece;
/// merges of equal score share a rank, so that the leftmost goes first.
/// </remarks>
/// <param name="Pieces">[tokens]</param>
internal sealed record SentencePieceVocabulary(IReadOnlyList<Piece> Pieces)
{
    private const char Space = '\u2581';

    /// <summary>Whether a space goes before each text.</summary>
    public bool AddsSpacePrefix { get; init; } = true;

    /// <summary>Whether spaces at the ends of a text are dropped, and several spaces become one.</summary>
    public bool RemovesExtraSpaces { get; init; }

    /// <summary>The parts of a tokenizer.</summary>
    /// <param name="template">What adds tokens around a text; null for nothing.</param>
    /// <param name="endTokenIds">The tokens that end a text, the usual one first.</param>
    /// <exception cref="InvalidDataException">The pieces contradict each other, or ask for what is not supported.</exception>
    public TokenizerParts ToParts(JsonElement? template, IReadOnlyList<int> endTokenIds)
    {
        Dictionary<string, Piece> normal = new(StringComparer.Ordinal);
        List<KeyValuePair<string, int>> vocabulary = [];
        List<AddedToken> added = [];
        foreach ((int id, Piece piece) in Pieces.Index())
        {
            switch (piece.Kind)
            {
                case PieceKind.Normal:
                    Throw.Unless(piece.Text.Length > 0 && !float.IsNaN(piece.Score), $"expected pieces with a text and a score, found '{piece.Text}' with {piece.Score} as token {id}");
                    Throw.Unless(normal.TryAdd(piece.Text, piece), $"expected each piece once, found '{piece.Text}' twice");
                    vocabulary.Add(new(piece.Text, id));
                    break;
                case PieceKind.Byte:
                    vocabulary.Add(new(piece.Text, id));
                    break;
                case PieceKind.UserDefined:
                    Throw.Unless(!piece.Text.Contains(Space, StringComparison.Ordinal), $"expected user-defined pieces without spaces, found '{piece.Text}'; this is not supported");
                    added.Add(new(id, piece.Text, IsSpecial: false, IsNormalized: false));
                    break;
                case PieceKind.Unknown or PieceKind.Control:
                    added.Add(new(id, piece.Text, IsSpecial: true, IsNormalized: false));
                    break;
                default:
                    break;
            }
        }

        RequireCharacters(normal);
        ((string Left, string Right)[] merges, int[] ranks) = Merges(normal);
        return new(vocabulary, merges, added, endTokenIds, Steps(template))
        {
            Ranks = ranks,
            Options = new BpeOptions
            {
                UsesByteTokens = Pieces.Any(piece => piece.Kind == PieceKind.Byte),
                UnknownToken = Pieces.FirstOrDefault(piece => piece.Kind == PieceKind.Unknown).Text,
                FusesUnknown = true,
            },
        };
    }

    // SentencePiece would merge a character that is no piece with its neighbor; tokenizer.json has no words for that, and trainers write no such vocabulary.
    private static void RequireCharacters(Dictionary<string, Piece> pieces)
    {
        foreach (string text in pieces.Keys)
        {
            foreach (Rune character in text.EnumerateRunes())
            {
                Throw.Unless(pieces.ContainsKey(character.ToString()), $"expected a piece for each character of the pieces, found none for U+{character.Value:X4} of '{text}'; this is not supported");
            }
        }
    }

    private static ((string Left, string Right)[] Merges, int[] Ranks) Merges(Dictionary<string, Piece> pieces)
    {
        Dictionary<string, Piece>.AlternateLookup<ReadOnlySpan<char>> lookup = pieces.GetAlternateLookup<ReadOnlySpan<char>>();
        List<(float Score, string Left, string Right)> found = [];
        foreach (Piece piece in pieces.Values)
        {
            ReadOnlySpan<char> text = piece.Text;
            for (int at = 1; at < text.Length; at++)
            {
                if (!char.IsLowSurrogate(text[at]) && lookup.ContainsKey(text[..at]) && lookup.ContainsKey(text[at..]))
                {
                    found.Add((piece.Score, piece.Text[..at], piece.Text[at..]));
                }
            }
        }

        (float Score, string Left, string Right)[] sorted = [.. found.OrderByDescending(merge => merge.Score)];
        int[] ranks = new int[sorted.Length];
        for (int i = 1; i < ranks.Length; i++)
        {
            ranks[i] = sorted[i].Score == sorted[i - 1].Score ? ranks[i - 1] : i;
        }

        return ([.. sorted.Select(merge => (merge.Left, merge.Right))], ranks);
    }

    private TokenizerSteps Steps(JsonElement? template)
    {
        string[] normalizers =
        [
            .. RemovesExtraSpaces
                ? (string[])["""{"type":"Replace","pattern":{"Regex":"\\A +| +\\z"},"content":""}""", """{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}"""]
                : [],
            .. AddsSpacePrefix ? (string[])["""{"type":"Prepend","prepend":"▁"}"""] : [],
            """{"type":"Replace","pattern":{"String":" "},"content":"▁"}""",
        ];
        string[] decoders =
        [
            """{"type":"Replace","pattern":{"String":"▁"},"content":" "}""",
            """{"type":"ByteFallback"}""",
            """{"type":"Fuse"}""",
            .. AddsSpacePrefix ? (string[])["""{"type":"Strip","content":" ","start":1,"stop":0}"""] : [],
        ];
        return new(
            TokenizerSteps.Parse($$"""{"type":"Sequence","normalizers":[{{string.Join(',', normalizers)}}]}"""),
            null,
            template,
            TokenizerSteps.Parse($$"""{"type":"Sequence","decoders":[{{string.Join(',', decoders)}}]}"""));
    }
}
