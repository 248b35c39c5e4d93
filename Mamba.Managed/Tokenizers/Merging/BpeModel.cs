using System.Buffers;
using System.Text;

namespace Mamba.Managed.Tokenizers.Merging;

/// <summary>Byte-pair encoding of one word: its characters become symbols, and neighboring symbols merge in the order of their ranks.</summary>
/// <remarks>Sennrich et al. 2016, in the details as the BPE model of Hugging Face's <c>tokenizers</c>. A symbol is the id of a token.</remarks>
internal sealed class BpeModel
{
    private const int DirectCharacters = 0x400;
    private const int StackSymbols = 256;

    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids;
    private readonly BpeOptions options;
    private readonly MergeTable merges;
    private readonly int[] direct = new int[DirectCharacters];
    private readonly int[] byteTokens = new int[256];
    private readonly int mostSymbols;
    private readonly int unknown;
    private readonly bool hasAffixes;
    private readonly WordCache cache = new();

    /// <summary>A model.</summary>
    /// <param name="ids">Each token with its id; ordinal.</param>
    /// <param name="merges">The merges of ids.</param>
    /// <param name="options">How it treats what is special.</param>
    /// <param name="unknown">The id of the unknown token; -1 for none.</param>
    public BpeModel(Dictionary<string, int> ids, MergeTable merges, BpeOptions options, int unknown)
    {
        this.ids = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        this.merges = merges;
        this.options = options;
        this.unknown = unknown;
        hasAffixes = options.InnerPrefix.Length + options.EndSuffix.Length > 0;
        mostSymbols = 3 * (1 + options.InnerPrefix.Length + options.EndSuffix.Length);
        for (int c = 0; c < direct.Length; c++)
        {
            direct[c] = ids.GetValueOrDefault(((char)c).ToString(), -1);
        }

        for (int value = 0; value < byteTokens.Length; value++)
        {
            byteTokens[value] = options.UsesByteTokens ? ids.GetValueOrDefault(Throw.Invariant($"<0x{value:X2}>"), -1) : -1;
        }
    }

    /// <summary>Appends the ids of a word.</summary>
    /// <param name="word">Without lone surrogates.</param>
    /// <param name="to">Receives the ids.</param>
    public void Encode(ReadOnlySpan<char> word, List<int> to)
    {
        if (options.TakesWholeWords && ids.TryGetValue(word, out int whole))
        {
            to.Add(whole);
        }
        else if (cache.Find(word, out int place) is { } known)
        {
            to.AddRange((ReadOnlySpan<int>)known);
        }
        else
        {
            long steps = 0;
            Merge(word, to, place, ref steps);
        }
    }

    /// <summary>Appends the ids of a word that is not looked up.</summary>
    internal void Merge(ReadOnlySpan<char> word, List<int> to, int place, ref long steps)
    {
        int most = checked(word.Length * mostSymbols);
        int[]? rented = most > StackSymbols ? ArrayPool<int>.Shared.Rent(most) : null;
        Span<int> symbols = rented ?? stackalloc int[StackSymbols];
        int count = Symbols(word, symbols);
        count = SymbolMerger.Merge(symbols[..count], merges, ref steps);
        to.AddRange((ReadOnlySpan<int>)symbols[..count]);
        cache.Add(word, place, symbols[..count]);
        if (rented is not null)
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    private int Symbols(ReadOnlySpan<char> word, Span<int> symbols)
    {
        int count = 0;
        bool isPending = false;
        for (int at = 0, length; at < word.Length; at += length)
        {
            length = char.IsHighSurrogate(word[at]) && at + 1 < word.Length ? 2 : 1;
            bool isLast = at + length == word.Length;
            int symbol = hasAffixes ? SymbolOf(Affixed(word.Slice(at, length), at == 0, isLast))
                : word[at] < DirectCharacters ? direct[word[at]] : SymbolOf(word.Slice(at, length));
            if (symbol >= 0)
            {
                Flush(symbols);
                symbols[count++] = symbol;
            }
            else if (!(options.UsesByteTokens && AddBytes(hasAffixes ? Affixed(word.Slice(at, length), at == 0, isLast) : word.Slice(at, length), symbols, ref count))
                && unknown >= 0)
            {
                // An unknown token waits for the next one, with which it may be one; bytes go before it, as in Hugging Face's library.
                if (!options.FusesUnknown)
                {
                    Flush(symbols);
                }

                isPending = true;
            }
        }

        Flush(symbols);
        return count;

        void Flush(Span<int> symbols)
        {
            if (isPending)
            {
                symbols[count++] = unknown;
                isPending = false;
            }
        }
    }

    private int SymbolOf(ReadOnlySpan<char> character) => ids.TryGetValue(character, out int id) ? id : -1;

    private string Affixed(ReadOnlySpan<char> character, bool isFirst, bool isLast) =>
        string.Concat(isFirst ? "" : options.InnerPrefix, character, isLast ? options.EndSuffix : "");

    private bool AddBytes(ReadOnlySpan<char> text, Span<int> symbols, ref int count)
    {
        Span<byte> bytes = stackalloc byte[4];
        byte[]? many = text.Length > 2 ? Encoding.UTF8.GetBytes(text.ToString()) : null;
        bytes = many ?? bytes[..Encoding.UTF8.GetBytes(text, bytes)];
        foreach (byte value in bytes)
        {
            if (byteTokens[value] < 0)
            {
                return false;
            }
        }

        foreach (byte value in bytes)
        {
            symbols[count++] = byteTokens[value];
        }

        return true;
    }
}
