namespace Mamba.Managed.Training;

/// <summary>SplitMix64 (Steele, Lea and Flood 2014): the same numbers from the same seed on every machine and version.</summary>
internal sealed class SeededRandom(ulong seed)
{
    private ulong state = seed;

    public ulong Next()
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number from 0 to <paramref name="end"/> - 1; the bias is below end / 2^64.</summary>
    public long Below(long end) => (long)Math.BigMul(Next(), (ulong)end, out _);

    public void Shuffle<T>(T[] items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = (int)Below(i + 1L);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}
