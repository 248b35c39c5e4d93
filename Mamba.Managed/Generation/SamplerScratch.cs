namespace Mamba.Managed.Generation;

/// <summary>Buffers of the size of a vocabulary that a <see cref="Sampler"/> uses during one call.</summary>
/// <remarks>A driver keeps one for each of its threads, shared by all sessions. Two threads must not use one at once.</remarks>
/// <param name="vocabularySize">One more than the largest token id.</param>
public sealed class SamplerScratch(int vocabularySize)
{
    private ulong[] ranked = [];

    /// <summary>The largest vocabulary that fits.</summary>
    public int VocabularySize { get; } = vocabularySize;

    internal float[] Weights { get; } = new float[vocabularySize];

    // Allocated at first use: only top-k and top-p rank tokens.
    internal ulong[] Ranked => ranked.Length == 0 ? ranked = new ulong[VocabularySize] : ranked;
}
