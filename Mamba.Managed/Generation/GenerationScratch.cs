namespace Mamba.Managed.Generation;

/// <summary>Buffers of the size of the vocabulary, used for one token of one session at a time.</summary>
internal sealed class GenerationScratch(int vocabularySize)
{
    private LogProbabilities? logProbabilities;

    /// <summary>The logits of a step.</summary>
    public float[] Logits { get; } = new float[vocabularySize];

    /// <summary>The sampler's buffers.</summary>
    public SamplerScratch Sampler { get; } = new(vocabularySize);

    /// <summary>Made when log-probabilities are first requested.</summary>
    public LogProbabilities LogProbabilities => logProbabilities ??= new LogProbabilities(vocabularySize);
}
