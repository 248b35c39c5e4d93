namespace Mamba.Managed.Generation;

/// <summary>Room of the size of a vocabulary that a <see cref="Sampler"/> needs for the length of one call.</summary>
/// <remarks>Whoever drives samplers holds one for each of its threads, so that a thousand sessions share it. Two threads must not use it at once.</remarks>
/// <param name="vocabularySize">One more than the largest token id.</param>
public sealed class SamplerScratch(int vocabularySize)
{
    private ulong[] ranked = [];

    /// <summary>The largest vocabulary that fits.</summary>
    public int VocabularySize { get; } = vocabularySize;

    internal float[] Weights { get; } = new float[vocabularySize];

    // Only top-k and top-p rank tokens.
    internal ulong[] Ranked => ranked.Length == 0 ? ranked = new ulong[VocabularySize] : ranked;
}
