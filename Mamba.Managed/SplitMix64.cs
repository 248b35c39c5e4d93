using System.Runtime.CompilerServices;

namespace Mamba.Managed;

/// <summary>A small random generator: one word of state, and every seed is good.</summary>
/// <remarks>Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".</remarks>
/// <param name="seed">The same seed gives the same numbers.</param>
internal struct SplitMix64(ulong seed)
{
    private ulong state = seed;

    /// <summary>A seed from which a generator goes on as this one would.</summary>
    public readonly ulong State => state;

    /// <summary>64 random bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Next() => Mix(state += 0x9E3779B97F4A7C15);

    /// <summary>A number from 0, included, to 1, excluded; a multiple of 2^-53.</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A hash of one word: every bit of it moves every bit of the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
