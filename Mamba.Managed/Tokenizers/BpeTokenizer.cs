using System.Text;
using Microsoft.ML.Tokenizers;
using Merger = Microsoft.ML.Tokenizers.BpeTokenizer;

namespace Mamba.Managed.Tokenizers;

/// <summary>Byte-pair encoding over bytes, as GPT-2 introduced it and GPT-NeoX uses it: the published Mamba checkpoints' tokenizer.</summary>
/// <remarks>
/// Added tokens are matched first; the text between them is normalized to Unicode form C, split into words, and merged within each word. The ids are those of
/// Hugging Face's <c>tokenizers</c>; merging is done by Microsoft.ML.Tokenizers.
/// </remarks>
public sealed class BpeTokenizer : Tokenizer
{
    // Ids may have gaps, but a table indexed by id must not become much larger than the vocabulary.
    private const int MostGaps = 1 << 16;

    private readonly byte[]?[] bytes;
    private readonly AddedTokenFinder rawTokens;
    private readonly AddedTokenFinder normalTokens;
    private readonly CanonicalComposition? normalization;
    private readonly Merger merger;

    /// <summary>A tokenizer from its parts.</summary>
    /// <param name="vocabulary">Each token, written in GPT-2's byte alphabet (a space is U+0120), with its id; tokens and ids are unique.</param>
    /// <param name="merges">The pairs of tokens to merge, in order of priority.</param>
    /// <param name="addedTokens">Tokens matched in the text itself; they may be in the vocabulary too, under the same id.</param>
    /// <param name="endTokenIds">The tokens that end a text, the usual one first; null for none.</param>
    /// <param name="normalize">Whether text is normalized to Unicode form C.</param>
    /// <exception cref="InvalidDataException">A token, an id or a merge appears twice, an id is negative or far above the number of tokens, or a merge contains or makes an unknown token.</exception>
    internal BpeTokenizer(
        IReadOnlyCollection<KeyValuePair<string, int>> vocabulary,
        IReadOnlyCollection<(string Left, string Right)> merges,
        IReadOnlyCollection<AddedToken> addedTokens,
        IReadOnlyList<int>? endTokenIds = null,
        bool normalize = true)
        : this(new TokenizerParts(
            vocabulary ?? throw new ArgumentNullException(nameof(vocabulary)),
            [.. (merges ?? throw new ArgumentNullException(nameof(merges))).Select(merge => merge.Left + " " + merge.Right)],
            addedTokens ?? throw new ArgumentNullException(nameof(addedTokens)),
            endTokenIds ?? [],
            normalize))
    {
    }

    internal BpeTokenizer(TokenizerParts parts)
    {
        Dictionary<string, int> ids = new(parts.Vocabulary.Count, StringComparer.Ordinal);
        foreach ((string token, int id) in parts.Vocabulary)
        {
            Throw.Unless(token is { Length: > 0 }, $"expected tokens of at least one character, found an empty one with id {id}");
            Throw.Unless(ids.TryAdd(token, id), $"expected each token once, found '{token}' twice");
        }

        bytes = Table(ids, parts.Added);
        Throw.Unless(bytes.Length > 0, $"expected a vocabulary, found no tokens");
        EndTokenIds = [.. parts.EndTokenIds];
        foreach (int end in EndTokenIds)
        {
            Throw.Unless((uint)end < (uint)bytes.Length && bytes[end] is not null, $"expected an end token of the vocabulary, found id {end}");
        }

        normalization = parts.Normalizes ? CanonicalComposition.Load() : null;
        rawTokens = new(parts.Added.Where(token => !token.IsNormalized));
        normalTokens = new(parts.Added.Where(token => token.IsNormalized).Select(token => token with { Content = Normalize(token.Content) }));
        try
        {
            merger = Merger.Create(new BpeOptions(ids)
            {
                ByteLevel = true,
                Merges = parts.Merges,
                PreTokenizer = new WordSplitter(),
            });
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException(ProblemOf(parts.Merges, ids) ?? error.Message, error);
        }
    }

    /// <inheritdoc/>
    public override string Name => "bpe";

    /// <inheritdoc/>
    public override int VocabularySize => bytes.Length;

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndTokenIds { get; }

    /// <summary>Reads a <c>tokenizer.json</c> of Hugging Face's <c>tokenizers</c>: byte-level BPE, with form C or without.</summary>
    /// <param name="path">The file.</param>
    /// <param name="endTokenIds">The tokens that end a text, the usual one first; null for <c>&lt;|endoftext|&gt;</c>, where the file has it.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or describes another kind of tokenizer.</exception>
    public static BpeTokenizer Load(string path, IReadOnlyList<int>? endTokenIds = null) => TokenizerFile.Read(path, endTokenIds).ToTokenizer();

    /// <inheritdoc/>
    public override int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = new((text.Length / 4) + 4);
        Cut(Whole(text), rawTokens, ids, (raw, _) => Cut(Normalize(raw), normalTokens, ids, Merge));
        return [.. ids];
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int token)
    {
        CheckToken(token);
        return bytes[token];
    }

    private static void Cut(string text, AddedTokenFinder tokens, List<int> ids, Action<string, List<int>> between)
    {
        for (int start = 0; start < text.Length;)
        {
            AddedToken? token = tokens.Next(text.AsSpan(start), out int length);
            if (length > 0)
            {
                between(text.Substring(start, length), ids);
            }

            if (token is not null)
            {
                ids.Add(token.Id);
            }

            start += length + (token?.Content.Length ?? 0);
        }
    }

    private static string Whole(string text)
    {
        int at = 0;
        ReadOnlySpan<char> rest = text;
        while (at < text.Length && Rune.DecodeFromUtf16(rest[at..], out _, out int consumed) == System.Buffers.OperationStatus.Done)
        {
            at += consumed;
        }

        return at == text.Length ? text : string.Concat(text.EnumerateRunes());
    }

    private static byte[]?[] Table(Dictionary<string, int> ids, IReadOnlyCollection<AddedToken> addedTokens)
    {
        Throw.Unless(!addedTokens.Contains(null!), $"expected added tokens, found null among them");
        long most = (long)ids.Count + addedTokens.Count + MostGaps;
        foreach (int id in ids.Values.Concat(addedTokens.Select(token => token.Id)))
        {
            Throw.Unless(id >= 0 && id < most, $"expected ids from 0 to {most - 1} for {ids.Count} tokens and {addedTokens.Count} added ones, found {id}");
        }

        byte[]?[] table = new byte[ids.Values.Concat(addedTokens.Select(token => token.Id)).DefaultIfEmpty(-1).Max() + 1][];
        foreach ((string token, int id) in ids)
        {
            Throw.Unless(table[id] is null, $"expected each id once, found {id} twice");
            table[id] = ByteAlphabet.BytesOf(token);
        }

        HashSet<string> contents = new(StringComparer.Ordinal);
        foreach (AddedToken token in addedTokens)
        {
            Throw.Unless(token.Content is { Length: > 0 }, $"expected added tokens of at least one character, found an empty one with id {token.Id}");
            Throw.Unless(contents.Add(token.Content), $"expected each added token once, found '{token.Content}' twice");
            bool known = ids.TryGetValue(token.Content, out int id);
            Throw.Unless(known ? id == token.Id : table[token.Id] is null, $"expected an id of its own for the added token '{token.Content}', found {token.Id}, which another token has or which differs from the vocabulary's");
            table[token.Id] ??= ByteAlphabet.BytesOf(token.Content);
        }

        return table;
    }

    // Describes the first merge that the merger rejects.
    private static string? ProblemOf(IEnumerable<string> merges, Dictionary<string, int> ids)
    {
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (string merge in merges)
        {
            string? expected = merge.Split(' ') is not [string left, string right] ? "merges of two tokens with a space between and none within"
                : !ids.ContainsKey(left) || !ids.ContainsKey(right) ? "merges of tokens in the vocabulary"
                : !ids.ContainsKey(left + right) ? "merges that make a token of the vocabulary"
                : !seen.Add(merge) ? "each merge once"
                : null;
            if (expected is not null)
            {
                return $"expected {expected}, found '{merge}'";
            }
        }

        return null;
    }

    private string Normalize(string text) => normalization?.Normalize(text) ?? text;

    private void Merge(string text, List<int> ids) => ids.AddRange(merger.EncodeToIds(text, considerPreTokenization: true, considerNormalization: false));
}
