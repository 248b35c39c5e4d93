using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;

namespace Mamba.Managed.Generation;

/// <summary>Chooses a token from the logits of a step, and remembers what its penalties need.</summary>
/// <remarks>
/// Equal inputs and seeds give equal tokens on every machine: each step is one fixed sequence of operations. Tokens of equal probability rank
/// by id, the lowest first. After its construction a sampler allocates nothing. A sampler belongs to one sequence; two threads must not use it at once.
/// </remarks>
public sealed class Sampler
{
    private readonly GenerationOptions options;
    private readonly KeyValuePair<int, float>[] biases;
    private readonly TokenCounts counts;
    private readonly float[] weights;
    private readonly ulong[] ranked;
    private SplitMix64 random;

    /// <summary>A sampler at the beginning of a text.</summary>
    /// <param name="options">How to choose.</param>
    /// <param name="vocabularySize">One more than the largest token id.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public Sampler(GenerationOptions options, int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabularySize);
        this.options = options.Validate(vocabularySize);
        Seed = options.Seed ?? (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue);
        random = new SplitMix64(Seed);
        biases = [.. options.LogitBias.OrderBy(entry => entry.Key)];
        counts = new TokenCounts(vocabularySize);
        weights = new float[vocabularySize];
        ranked = new ulong[vocabularySize];
    }

    /// <summary>The seed in use: that of the options, or one drawn.</summary>
    public ulong Seed { get; }

    /// <summary>Tells the sampler of tokens that were not chosen by it, for the repetition penalty.</summary>
    /// <param name="tokens">[tokens]</param>
    /// <exception cref="ArgumentException">An id is out of range.</exception>
    public void Observe(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)weights.Length)
            {
                Throw.Argument(Throw.Invariant($"expected token ids from 0 to {weights.Length - 1}, found {token}"), nameof(tokens));
            }
        }

        foreach (int token in tokens)
        {
            counts.Add(token, generated: false);
        }
    }

    /// <summary>Chooses the next token and counts it.</summary>
    /// <param name="logits">[vocabulary]; not changed. Negative infinity forbids a token.</param>
    /// <returns>The token's id.</returns>
    /// <exception cref="ArgumentException">The logits are not as many as the vocabulary.</exception>
    /// <exception cref="InvalidDataException">A logit is NaN or positive infinity, or every token is forbidden.</exception>
    public int Sample(ReadOnlySpan<float> logits)
    {
        Throw.UnlessLength(weights.Length, logits.Length);

        // Adding zero copies, and makes the two zeros one, which rank apart otherwise.
        TensorPrimitives.Add(logits, 0f, weights);
        counts.Penalize(weights, options);
        foreach ((int id, float bias) in biases)
        {
            weights[id] += bias;
        }

        float max = TensorPrimitives.Max<float>(weights);
        if (!float.IsFinite(max))
        {
            ThrowNotFinite(max);
        }

        int token = options.Temperature == 0 ? FirstOf(max) : Draw(max);
        counts.Add(token, generated: true);
        return token;
    }

    // Equal floats have equal bits here, and whole words are searched many at a time.
    private int FirstOf(float value) => MemoryMarshal.Cast<float, int>(weights).IndexOf(BitConverter.SingleToInt32Bits(value));

    private void ThrowNotFinite(float max) => throw new InvalidDataException(float.IsNegativeInfinity(max)
        ? "expected at least one token that is not forbidden, found none; look at the logit bias"
        : Throw.Invariant($"expected finite logits, found {max} for token {Array.IndexOf(weights, max)}; the model's weights are damaged"));

    private int Draw(float max)
    {
        SoftmaxWeights.Forward(weights, max, 1 / options.Temperature, weights);
        bool byRank = (options.TopK > 0 && options.TopK < weights.Length) || options.TopP < 1;
        return byRank ? DrawRanked(Ranking()) : DrawAny();
    }

    // Without top-k and top-p no order is needed: min-p is a threshold, as the most probable token weighs exactly 1.
    private int DrawAny()
    {
        if (options.MinP > 0)
        {
            foreach (ref float weight in weights.AsSpan())
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
    private ReadOnlySpan<ulong> Ranking()
    {
        // Tokens below this weight hold less than 1 - top_p of the whole together, so that the nucleus has none of them.
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

    private int DrawRanked(ReadOnlySpan<ulong> candidates)
    {
        if (options.TopP < 1)
        {
            double nucleus = options.TopP * (options.TopK > 0 ? SumOf(candidates) : SoftmaxWeights.Sum(weights));
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

        double rest = random.NextDouble() * SumOf(candidates);
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

    private double SumOf(ReadOnlySpan<ulong> candidates)
    {
        double sum = 0;
        foreach (ulong key in candidates)
        {
            sum += weights[RankKey.TokenOf(key)];
        }

        return sum;
    }
}
