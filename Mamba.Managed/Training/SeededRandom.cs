namespace Mamba.Managed.Training;

/// <summary>Random numbers and shuffles that depend on the seed alone, on every machine and in every version.</summary>
/// <param name="seed">Any number.</param>
internal sealed class SeededRandom(ulong seed)
{
    private SplitMix64 random = new(seed);

    /// <summary>The random numbers of one of many numbered items with a common seed.</summary>
    public static SeededRandom Of(ulong seed, long number) => new(seed ^ ((ulong)number * 0xD1342543DE82EF95));

    /// <summary>64 random bits.</summary>
    public ulong Next() => random.Next();

    /// <summary>A number from 0 to <paramref name="end"/> - 1; the bias is below end / 2^64.</summary>
    public long Below(long end) => (long)Math.BigMul(Next(), (ulong)end, out _);

    /// <summary>Puts items into a random order: Fisher and Yates.</summary>
    public void Shuffle<T>(T[] items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = (int)Below(i + 1L);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}
