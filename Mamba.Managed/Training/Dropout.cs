using System.Runtime.CompilerServices;

namespace Mamba.Managed.Training;

/// <summary>Dropout by a hash of seed and place: forward and backward, in any order and on any thread, draw the same mask.</summary>
/// <remarks>Srivastava et al. 2014, with the survivors scaled by 1 / (1 - rate).</remarks>
/// <param name="Rate">Share of entries set to zero, from 0 up to but not including 1.</param>
/// <param name="Seed">The same seed gives the same mask.</param>
public readonly record struct Dropout(float Rate, ulong Seed)
{
    /// <summary>Scales the survivors of one row and clears the rest.</summary>
    /// <param name="values">[features]</param>
    /// <param name="layer">Index of the block.</param>
    /// <param name="row">Index of the row.</param>
    internal void Apply(Span<float> values, int layer, int row)
    {
        if (Rate == 0)
        {
            return;
        }

        float scale = 1 / (1 - Rate);
        ulong state = Mix(Seed ^ Mix(((ulong)(uint)layer << 32) | (uint)row));
        ulong limit = (ulong)(Rate * (double)(1UL << 32));
        for (int i = 0; i < values.Length; i++)
        {
            state += 0x9E3779B97F4A7C15;
            values[i] = (Mix(state) >> 32) < limit ? 0 : values[i] * scale;
        }
    }

    // The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
