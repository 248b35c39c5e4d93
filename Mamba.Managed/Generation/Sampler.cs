using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;

namespace Mamba.Managed.Generation;

/// <summary>Chooses tokens from the logits of steps as the options of a request say, and keeps the counts that penalties need.</summary>
/// <remarks>
/// Equal inputs and seeds give equal tokens on every machine: each step is one fixed sequence of operations. Tokens of equal probability rank
/// by id, the lowest first. The random numbers are the session's, buffers are the caller's <see cref="SamplerScratch"/>. A sampler is used for one
/// session, by one thread at a time.
/// </remarks>
public sealed class Sampler
{
    private readonly GenerationOptions options;
    private readonly ITokenConstraint? constraint;
    private readonly KeyValuePair<int, float>[] biases;
    private readonly TokenCounts? counts;

    /// <summary>A sampler for a request.</summary>
    /// <param name="options">How to choose.</param>
    /// <param name="vocabularySize">One more than the largest token id that may be chosen; ids from this on are padding of the model's vocabulary.</param>
    /// <param name="constraint">What else decides which tokens may come; null for nothing.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public Sampler(GenerationOptions options, int vocabularySize, ITokenConstraint? constraint = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabularySize);
        this.options = options.Validate(vocabularySize);
        this.constraint = constraint;
        VocabularySize = vocabularySize;
        biases = options.LogitBias.Count == 0 ? [] : [.. options.LogitBias.OrderBy(entry => entry.Key)];
        counts = options is { RepetitionPenalty: 1, FrequencyPenalty: 0, PresencePenalty: 0 } ? null : new TokenCounts();
    }

    /// <summary>How tokens are chosen.</summary>
    public GenerationOptions Options => options;

    /// <summary>One more than the largest id that may be chosen.</summary>
    public int VocabularySize { get; }

    /// <summary>Whether the text's tokens are counted.</summary>
    internal bool IsCounting => counts is not null;

    /// <summary>Chooses the next token.</summary>
    /// <param name="logits">[vocabulary]; not changed. Negative infinity forbids a token.</param>
    /// <param name="random">The session's random numbers.</param>
    /// <param name="scratch">For a vocabulary of at least this size.</param>
    /// <returns>The token's id.</returns>
    /// <exception cref="ArgumentException">The number of logits is not that of the vocabulary.</exception>
    /// <exception cref="InvalidDataException">A logit is NaN or positive infinity, or every token is forbidden.</exception>
    internal int Sample(ReadOnlySpan<float> logits, ref SplitMix64 random, SamplerScratch scratch)
    {
        ArgumentNullException.ThrowIfNull(scratch);
        Throw.UnlessLength(VocabularySize, logits.Length);
        if (scratch.VocabularySize < VocabularySize)
        {
            Throw.Argument(Throw.Invariant($"expected room for a vocabulary of {VocabularySize}, found room for {scratch.VocabularySize}"), nameof(scratch));
        }

        Span<float> weights = scratch.Weights.AsSpan(0, VocabularySize);

        // Adding zero copies and turns -0 into +0: the two are equal, but their bits would rank apart.
        TensorPrimitives.Add(logits, 0f, weights);
        counts?.Penalize(weights, options);
        foreach ((int id, float bias) in biases)
        {
            weights[id] += bias;
        }

        constraint?.Apply(weights);
        float max = TensorPrimitives.Max<float>(weights);
        if (!float.IsFinite(max))
        {
            ThrowNotFinite(weights, max);
        }

        int token = options.Temperature == 0 ? FirstOf(weights, max) : Draw(scratch, weights, max, ref random);
        constraint?.Accept(token);
        return token;
    }

    /// <summary>Counts a token of the text; ids that are never chosen need no count.</summary>
    internal void Observe(int token, bool generated)
    {
        if ((uint)token < (uint)VocabularySize)
        {
            counts?.Add(token, generated);
        }
    }

    /// <summary>Forgets the counts.</summary>
    internal void Forget() => counts?.Clear();

    // Equal floats have equal bits here (no -0, no NaN), and the search over integers is vectorized.
    private static int FirstOf(ReadOnlySpan<float> weights, float value) => MemoryMarshal.Cast<float, int>(weights).IndexOf(BitConverter.SingleToInt32Bits(value));

    private static void ThrowNotFinite(ReadOnlySpan<float> weights, float max) => throw new InvalidDataException(float.IsNegativeInfinity(max)
        ? "expected at least one token that is not forbidden, found none; look at the logit bias and the constraint"
        : Throw.Invariant($"expected finite logits, found {max} for token {weights.IndexOf(max)}; the model's weights are damaged"));

    private int Draw(SamplerScratch scratch, Span<float> weights, float max, ref SplitMix64 random)
    {
        SoftmaxWeights.Forward(weights, max, 1 / options.Temperature, weights);
        bool byRank = (options.TopK > 0 && options.TopK < weights.Length) || options.TopP < 1;
        return byRank ? DrawRanked(weights, Ranking(weights, scratch.Ranked), ref random) : DrawAny(weights, ref random);
    }

    // Without top-k and top-p no order is needed: min-p is a threshold, as the most probable token weighs exactly 1.
    private int DrawAny(Span<float> weights, ref SplitMix64 random)
    {
        if (options.MinP > 0)
        {
            foreach (ref float weight in weights)
            {
                weight = weight >= options.MinP ? weight : 0;
            }
        }

        double rest = random.NextDouble() * SoftmaxWeights.Sum(weights);
        int last = 0;
        for (int token = 0; token < weights.Length; token++)
        {
            if (weights[token] > 0)
            {
                last = token;
                rest -= weights[token];
                if (rest < 0)
                {
                    break;
                }
            }
        }

        return last;
    }

    // The candidates, most probable first.
    private ReadOnlySpan<ulong> Ranking(ReadOnlySpan<float> weights, ulong[] ranked)
    {
        // Tokens below this weight together hold less than 1 - top_p of the probability, so none of them is in the nucleus.
        bool all = options.TopK > 0 && options.TopK < weights.Length;
        double least = all ? 0 : (1.0 - options.TopP) / weights.Length * SoftmaxWeights.Sum(weights) * 0.999;
        int count = 0;
        for (int token = 0; token < weights.Length; token++)
        {
            if (weights[token] > 0 && weights[token] >= least)
            {
                ranked[count++] = RankKey.Of(weights[token], token);
            }
        }

        Span<ulong> keys = ranked.AsSpan(0, count);
        return all ? RankKey.SortFirst(keys, options.TopK) : RankKey.SortFirst(keys, count);
    }

    private int DrawRanked(ReadOnlySpan<float> weights, ReadOnlySpan<ulong> candidates, ref SplitMix64 random)
    {
        if (options.TopP < 1)
        {
            double nucleus = options.TopP * (options.TopK > 0 ? SumOf(weights, candidates) : SoftmaxWeights.Sum(weights));
            int count = 0;
            for (double sum = 0; count < candidates.Length && (count == 0 || sum < nucleus); count++)
            {
                sum += weights[RankKey.TokenOf(candidates[count])];
            }

            candidates = candidates[..count];
        }

        while (weights[RankKey.TokenOf(candidates[^1])] < options.MinP)
        {
            candidates = candidates[..^1];
        }

        double rest = random.NextDouble() * SumOf(weights, candidates);
        foreach (ulong key in candidates)
        {
            rest -= weights[RankKey.TokenOf(key)];
            if (rest < 0)
            {
                return RankKey.TokenOf(key);
            }
        }

        return RankKey.TokenOf(candidates[^1]);
    }

    private static double SumOf(ReadOnlySpan<float> weights, ReadOnlySpan<ulong> candidates)
    {
        double sum = 0;
        foreach (ulong key in candidates)
        {
            sum += weights[RankKey.TokenOf(key)];
        }

        return sum;
    }
}
