using System.Numerics.Tensors;
using Mamba.Managed.Kernels;

namespace Mamba.Managed.Generation;

/// <summary>A token and the natural logarithm of the model's own probability for it, before penalties, bias and temperature.</summary>
/// <param name="Id">The token.</param>
/// <param name="LogProbability">At most 0, in nats.</param>
public readonly record struct TokenLogProbability(int Id, float LogProbability);

/// <summary>Turns logits into log-probabilities.</summary>
internal sealed class LogProbabilities(int vocabularySize)
{
    private readonly float[] weights = new float[vocabularySize];
    private ulong[] ranked = [];
    private double logSum;

    /// <summary>Normalizes the logits of a step: each finite or negative infinity, at least one finite.</summary>
    public void Measure(ReadOnlySpan<float> logits)
    {
        float max = TensorPrimitives.Max(logits);
        SoftmaxWeights.Forward(logits, max, 1, weights);
        logSum = max + Math.Log(SoftmaxWeights.Sum(weights));
    }

    /// <summary>The log-probability of a token, given its logit.</summary>
    public float Of(float logit) => MathF.Min((float)(logit - logSum), 0);

    /// <summary>The most probable tokens, the lowest id first among equals.</summary>
    public TokenLogProbability[] Top(ReadOnlySpan<float> logits, int count)
    {
        if (count == 0)
        {
            return [];
        }

        ranked = ranked.Length == 0 ? new ulong[weights.Length] : ranked;
        for (int token = 0; token < logits.Length; token++)
        {
            ranked[token] = RankKey.OfLogit(logits[token], token);
        }

        TokenLogProbability[] top = new TokenLogProbability[count];
        ReadOnlySpan<ulong> first = RankKey.SortFirst(ranked, count);
        for (int i = 0; i < count; i++)
        {
            int token = RankKey.TokenOf(first[i]);
            top[i] = new(token, Of(logits[token]));
        }

        return top;
    }
}
