using System.Numerics;
using System.Runtime.CompilerServices;

namespace Mamba.Managed.Tokenizers.Merging;

/// <summary>A map from pairs of numbers to a number, in flat memory: merges of two tokens, edges of a trie.</summary>
/// <remarks>Open addressing with linear probing. A vocabulary has more than a hundred thousand merges, and each is looked up while a file loads.</remarks>
internal sealed class PairTable
{
    private Entry[] entries;
    private int shift;

    /// <summary>An empty table.</summary>
    /// <param name="capacity">How many pairs it takes without growing.</param>
    public PairTable(int capacity = 0)
    {
        entries = new Entry[(int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, 2L * capacity))];
        shift = 64 - BitOperations.Log2((uint)entries.Length);
    }

    /// <summary>How many pairs there are.</summary>
    public int Count { get; private set; }

    /// <summary>The value of a pair, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(int left, int right)
    {
        ulong key = KeyOf(left, right);
        Entry[] all = entries;
        for (int at = SlotOf(key); ; at = (at + 1) & (all.Length - 1))
        {
            ref Entry entry = ref all[at];
            if (entry.Key == key)
            {
                return entry.Value;
            }

            if (entry.Key == 0)
            {
                return -1;
            }
        }
    }

    /// <summary>Adds a pair, unless it is there already.</summary>
    /// <param name="left">From 0 to 2^31 - 2.</param>
    /// <param name="right">From 0.</param>
    /// <param name="value">From 0.</param>
    /// <returns>Whether it was added.</returns>
    public bool TryAdd(int left, int right, int value)
    {
        if (2 * (Count + 1) > entries.Length)
        {
            Grow();
        }

        ref Entry entry = ref Slot(KeyOf(left, right));
        if (entry.Key != 0)
        {
            return false;
        }

        entry = new(KeyOf(left, right), value);
        Count++;
        return true;
    }

    // A key is never 0, which marks an empty entry.
    private static ulong KeyOf(int left, int right) => ((ulong)(uint)(left + 1) << 32) | (uint)right;

    // Fibonacci hashing: the high bits of a product with 2^64 over the golden ratio.
    private int SlotOf(ulong key) => (int)((key * 0x9E3779B97F4A7C15) >> shift);

    private ref Entry Slot(ulong key)
    {
        int at = SlotOf(key);
        while (entries[at].Key != 0 && entries[at].Key != key)
        {
            at = (at + 1) & (entries.Length - 1);
        }

        return ref entries[at];
    }

    private void Grow()
    {
        Entry[] before = entries;
        entries = new Entry[2 * before.Length];
        shift--;
        foreach (Entry entry in before)
        {
            if (entry.Key != 0)
            {
                Slot(entry.Key) = entry;
            }
        }
    }

    private readonly record struct Entry(ulong Key, int Value);
}
