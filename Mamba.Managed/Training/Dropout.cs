namespace Mamba.Managed.Training;

/// <summary>Dropout whose mask is a hash of seed, layer and row: forward and backward pass draw the same mask, in any order and on any thread.</summary>
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
        SplitMix64 random = new(SplitMix64.Mix(Seed ^ SplitMix64.Mix(((ulong)(uint)layer << 32) | (uint)row)));
        ulong limit = (ulong)(Rate * (double)(1UL << 32));
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (random.Next() >> 32) < limit ? 0 : values[i] * scale;
        }
    }
}
