using System.Text;
using Mamba.Managed.Tokenizers.Merging;
using Mamba.Managed.Tokenizers.Splitting;

namespace Mamba.Managed.Tokenizers;

/// <summary>Byte-pair encoding of all kinds that <c>tokenizer.json</c> describes: over bytes as in GPT-2, or over characters as in SentencePiece.</summary>
/// <remarks>
/// Added tokens are found first; the text between them is normalized and split into words, and symbols are merged within each word. The ids are those
/// of Hugging Face's <c>tokenizers</c>. The time is linear in the length of the text, but for a logarithm in that of a word.
/// </remarks>
public sealed class BpeTokenizer : Tokenizer
{
    private readonly TokenBytes bytes;
    private readonly Encoding encoding;
    private readonly Finders allTokens;
    private readonly Finders textTokens;
    private readonly INormalizer? normalizer;
    private readonly IPreTokenizer? splitter;
    private readonly BpeModel model;
    private readonly SequenceTemplate template;
    private readonly HashSet<int> controlTokens;
    private readonly AddedTokenFinder controlFinder;
    private readonly string[] controlTexts;

    /// <summary>A byte-level tokenizer from its parts.</summary>
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
            merges ?? throw new ArgumentNullException(nameof(merges)),
            addedTokens ?? throw new ArgumentNullException(nameof(addedTokens)),
            endTokenIds ?? [],
            TokenizerSteps.ByteLevel(normalize)))
    {
    }

    internal BpeTokenizer(TokenizerParts parts)
    {
        TokenDecoder decoder = TokenDecoder.Read(parts.Steps.Decoder);
        Dictionary<string, int> ids = TokenTable.Ids(parts);
        bytes = TokenTable.Bytes(parts, ids, decoder);
        encoding = decoder.HasByteTokens ? StrayByteFallback.Utf8 : Encoding.UTF8;
        model = new(ids, TokenTable.Merges(parts, ids), parts.Options, UnknownId(parts, ids));
        normalizer = NormalizerJson.Read(parts.Steps.Normalizer);
        splitter = PreTokenizerJson.Read(parts.Steps.PreTokenizer);
        allTokens = FindersOf(parts.Added);
        textTokens = parts.Added.Any(token => token.IsSpecial) ? FindersOf([.. parts.Added.Where(token => !token.IsSpecial)]) : allTokens;
        AddedToken[] control = [.. parts.Added.Where(token => token.IsSpecial)];
        controlTokens = [.. control.Select(token => token.Id)];
        controlFinder = new(control);
        controlTexts = [.. control.Select(token => token.Content)];
        template = SequenceTemplate.Read(parts.Steps.PostProcessor);
        foreach (int id in template.Before.Concat(template.After))
        {
            Throw.Unless(IsToken(id), $"post_processor: expected ids of tokens, found {id}");
        }

        EndTokenIds = [.. parts.EndTokenIds];
        foreach (int end in EndTokenIds)
        {
            Throw.Unless(IsToken(end), $"expected an end token of the vocabulary, found id {end}");
        }
    }

    /// <inheritdoc/>
    public override string Name => "bpe";

    /// <inheritdoc/>
    public override int VocabularySize => bytes.Within.Length;

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndTokenIds { get; }

    internal override Encoding TextEncoding => encoding;

    internal override bool IsControl(int token) => controlTokens.Contains(token);

    /// <summary>Reads a <c>tokenizer.json</c> of Hugging Face's <c>tokenizers</c> whose model is BPE.</summary>
    /// <param name="path">The file.</param>
    /// <param name="endTokenIds">The tokens that end a text, the usual one first; null for <c>&lt;|endoftext|&gt;</c>, where the file has it.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is malformed, or asks for something that this library does not do, which the message names.</exception>
    public static BpeTokenizer Load(string path, IReadOnlyList<int>? endTokenIds = null) =>
        TokenizerFile.Read(path, endTokenIds, parts => parts.ToTokenizer());

    /// <inheritdoc/>
    public override int[] Encode(string text, bool addSpecialTokens = true, bool controlTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        string whole = Whole(text);
        Finders finders = controlTokens ? allTokens : textTokens;
        return Encode(whole, AddedTokenCut.Cut(whole, finders.Raw), finders.Normal, addSpecialTokens);
    }

    /// <inheritdoc/>
    public override string MarkLiteral(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return LiteralMarks.Mark(text, controlFinder, controlTexts);
    }

    /// <inheritdoc/>
    public override int[] EncodeMarked(string text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        (string unmarked, List<(int Start, int End)> literal) = LiteralMarks.Unmark(text);
        if (literal.Count == 0)
        {
            return Encode(unmarked, addSpecialTokens);
        }

        string whole = Whole(unmarked);
        return Encode(whole, AddedTokenCut.Cut(whole, textTokens.Raw, controlFinder, literal), textTokens.Normal, addSpecialTokens);
    }

    private int[] Encode(string whole, List<TextPart> parts, AddedTokenFinder normalFinder, bool addSpecialTokens)
    {
        List<int> ids = new((whole.Length / 4) + 4);
        ids.AddRange(addSpecialTokens ? template.Before : []);
        int room = NormalizedLength.Most(whole.Length);
        foreach (TextPart part in parts)
        {
            if (part.Token is { } token)
            {
                ids.Add(token.Id);
            }
            else
            {
                string normal = Normalize(part.Start == 0 && part.End == whole.Length ? whole : whole[part.Start..part.End], room);
                room = Math.Max(room - normal.Length, 0);
                EncodeNormal(normal, part.Start == 0, normalFinder, ids);
            }
        }

        ids.AddRange(addSpecialTokens ? template.After : []);
        return [.. ids];
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int token)
    {
        CheckToken(token);
        return bytes.Within[token];
    }

    internal override ReadOnlySpan<byte> BytesOf(int token, ref TextStart start)
    {
        CheckToken(token);
        return bytes.Next(token, ref start);
    }

    private Finders FindersOf(IReadOnlyCollection<AddedToken> added) => new(
        new([.. added.Where(token => !token.IsNormalized)]),
        new([.. added.Where(token => token.IsNormalized).Select(token => token with { Content = Normalize(token.Content, NormalizedLength.Most(token.Content.Length)) })]));

    private static string Whole(string text)
    {
        int at = 0;
        ReadOnlySpan<char> rest = text;
        while (at < text.Length)
        {
            int plain = rest[at..].IndexOfAnyInRange('\uD800', '\uDFFF');
            at += plain < 0 ? text.Length - at : plain;
            if (at < text.Length && Rune.DecodeFromUtf16(rest[at..], out _, out int consumed) is var status)
            {
                if (status != System.Buffers.OperationStatus.Done)
                {
                    return string.Concat(text.EnumerateRunes());
                }

                at += consumed;
            }
        }

        return text;
    }

    private static int UnknownId(TokenizerParts parts, Dictionary<string, int> ids)
    {
        if (parts.Options.UnknownToken is not { } token)
        {
            return -1;
        }

        int id = ids.TryGetValue(token, out int known) ? known : parts.Added.FirstOrDefault(added => added.Content == token)?.Id ?? -1;
        Throw.Unless(id >= 0, $"model.unk_token: expected a token of the vocabulary, found '{token}'");
        return id;
    }

    private void EncodeNormal(string text, bool isStart, AddedTokenFinder added, List<int> ids)
    {
        foreach (TextPart part in AddedTokenCut.Cut(text, added))
        {
            if (part.Token is { } token)
            {
                ids.Add(token.Id);
                continue;
            }

            ReadOnlyMemory<char> piece = text.AsMemory(part.Start, part.End - part.Start);
            if (splitter is null)
            {
                model.Encode(piece.Span, ids);
                continue;
            }

            foreach (ReadOnlyMemory<char> word in splitter.Cut([piece], isStart && part.Start == 0))
            {
                model.Encode(word.Span, ids);
            }
        }
    }

    private bool IsToken(int id) => (uint)id < (uint)VocabularySize && bytes.Within[id] is not null;

    private string Normalize(string text, int most) => normalizer?.Normalize(text, most) ?? text;

    /// <summary>What finds added tokens in the original text, and in the normalized.</summary>
    private sealed record Finders(AddedTokenFinder Raw, AddedTokenFinder Normal);
}
