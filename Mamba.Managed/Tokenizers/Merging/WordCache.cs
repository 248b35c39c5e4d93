namespace Mamba.Managed.Tokenizers.Merging;

/// <summary>The ids of words that were encoded lately. Any number of threads may use it at once.</summary>
/// <remarks>
/// Each word has one place, by its hash, and the latest one there stays: memory is bounded, nothing is locked, and a text of chosen words only makes
/// the cache useless. An entry never changes, so whoever reads one sees all of it.
/// </remarks>
internal sealed class WordCache
{
    private const int LongestWord = 32;
    private const int PlaceBits = 14;

    private readonly Entry?[] entries = new Entry?[1 << PlaceBits];

    /// <summary>The ids of a word, or null.</summary>
    /// <param name="word">The word.</param>
    /// <param name="place">Where it belongs, for <see cref="Add"/>; -1 for a word that is too long.</param>
    public int[]? Find(ReadOnlySpan<char> word, out int place)
    {
        if (word.Length > LongestWord)
        {
            place = -1;
            return null;
        }

        uint hash = (uint)word.Length;
        foreach (char c in word)
        {
            hash = (hash ^ c) * 0x9E3779B1;
            hash ^= hash >> 15;
        }

        place = (int)(hash >> (32 - PlaceBits));
        return Volatile.Read(ref entries[place]) is { } entry && word.SequenceEqual(entry.Word) ? entry.Ids : null;
    }

    /// <summary>Remembers a word.</summary>
    /// <param name="word">The word.</param>
    /// <param name="place">Its place by <see cref="Find"/>.</param>
    /// <param name="ids">Its ids.</param>
    public void Add(ReadOnlySpan<char> word, int place, ReadOnlySpan<int> ids)
    {
        if (place >= 0)
        {
            Volatile.Write(ref entries[place], new(word.ToString(), ids.ToArray()));
        }
    }

    private sealed record Entry(string Word, int[] Ids);
}
