using Mamba.Managed.Generation;

namespace Mamba.Managed.Tests.Generation;

/// <summary>A sampler with random numbers of its own that counts what it draws, as a session would.</summary>
internal sealed class SeededSampler(GenerationOptions options, int vocabulary)
{
    private readonly Sampler sampler = new(options, vocabulary);
    private SplitMix64 random = new(options.Seed ?? 0);

    public int VocabularySize => sampler.VocabularySize;

    public void Observe(params IEnumerable<int> tokens)
    {
        foreach (int token in tokens)
        {
            sampler.Observe(token, generated: false);
        }
    }

    public int Sample(ReadOnlySpan<float> logits, SamplerScratch scratch)
    {
        int token = sampler.Sample(logits, ref random, scratch);
        sampler.Observe(token, generated: true);
        return token;
    }
}
