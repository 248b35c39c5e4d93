using System.Buffers;

namespace Mamba.Managed.Tokenizers.Merging;

/// <summary>Merges the symbols of a word: again and again the pair of lowest rank, the leftmost first among equals.</summary>
internal static class SymbolMerger
{
    // Up to here looking through all pairs is faster than a heap.
    private const int ShortWord = 48;

    /// <summary>Merges in place.</summary>
    /// <param name="symbols">The symbols of a word; on return its first entries are those that are left.</param>
    /// <param name="merges">Which pairs merge.</param>
    /// <param name="steps">Counts pairs that were looked at.</param>
    /// <returns>How many symbols are left.</returns>
    public static int Merge(Span<int> symbols, MergeTable merges, ref long steps) => symbols.Length switch
    {
        < 2 => symbols.Length,
        <= ShortWord => MergeShort(symbols, merges, ref steps),
        _ => MergeLong(symbols, merges, ref steps),
    };

    private static int MergeShort(Span<int> symbols, MergeTable merges, ref long steps)
    {
        Span<Merge> pairs = stackalloc Merge[ShortWord];
        int count = symbols.Length;
        for (int i = 0; i + 1 < count; i++)
        {
            pairs[i] = merges.Find(symbols[i], symbols[i + 1]);
        }

        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
            {
                best = pairs[i].Rank < pairs[best].Rank ? i : best;
            }

            if (pairs[best].Rank == Merging.Merge.Never)
            {
                break;
            }

            steps += count;
            symbols[best] = pairs[best].Symbol;
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            count--;
            if (best + 1 < count)
            {
                pairs[(best + 2)..count].CopyTo(pairs[(best + 1)..]);
                pairs[best] = merges.Find(symbols[best], symbols[best + 1]);
            }

            if (best > 0)
            {
                pairs[best - 1] = merges.Find(symbols[best - 1], symbols[best]);
            }
        }

        return count;
    }

    // A linked list of symbols, and a heap of pairs by rank and place. Pairs that have changed since stay in the heap and are passed over.
    private static int MergeLong(Span<int> symbols, MergeTable merges, ref long steps)
    {
        int length = symbols.Length;
        int[] next = ArrayPool<int>.Shared.Rent(length), previous = ArrayPool<int>.Shared.Rent(length);
        PairQueue queue = new(length);
        for (int i = 0; i < length; i++)
        {
            (next[i], previous[i]) = (i + 1, i - 1);
            Enqueue(i, symbols);
        }

        queue.Order();
        while (queue.TryDequeue(out int rank, out int at))
        {
            steps++;
            if (symbols[at] < 0 || next[at] >= length || merges.Find(symbols[at], symbols[next[at]]) is var merge && merge.Rank != rank)
            {
                continue;
            }

            int removed = next[at];
            (symbols[at], symbols[removed]) = (merge.Symbol, -1);
            next[at] = next[removed];
            if (next[at] < length)
            {
                previous[next[at]] = at;
                Enqueue(at, symbols);
            }

            if (previous[at] >= 0)
            {
                Enqueue(previous[at], symbols);
            }
        }

        int count = 0;
        for (int i = 0; i < length; i = next[i])
        {
            symbols[count++] = symbols[i];
        }

        ArrayPool<int>.Shared.Return(next);
        ArrayPool<int>.Shared.Return(previous);
        return count;

        void Enqueue(int at, Span<int> symbols)
        {
            if (next[at] < length && merges.Find(symbols[at], symbols[next[at]]) is { Rank: not Merging.Merge.Never } found)
            {
                queue.Enqueue(found.Rank, at);
            }
        }
    }
}
