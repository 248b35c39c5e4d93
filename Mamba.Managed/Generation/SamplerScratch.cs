namespace Mamba.Managed.Generation;

/// <summary>Buffers of the size of a vocabulary that a <see cref="Sampler"/> uses during one call.</summary>
/// <remarks>A driver keeps one for each of its threads, shared by all sessions. Two threads must not use one at once.</remarks>
public sealed class SamplerScratch
{
    private ulong[] ranked = [];

    /// <summary>Buffers for a vocabulary.</summary>
    /// <param name="vocabularySize">One more than the largest token id.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="vocabularySize"/> is not positive.</exception>
    public SamplerScratch(int vocabularySize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabularySize);
        VocabularySize = vocabularySize;
        Weights = new float[vocabularySize];
    }

    /// <summary>The largest vocabulary that fits.</summary>
    public int VocabularySize { get; }

    internal float[] Weights { get; }

    // Allocated at first use: only top-k and top-p rank tokens.
    internal ulong[] Ranked => ranked.Length == 0 ? ranked = new ulong[VocabularySize] : ranked;
}
