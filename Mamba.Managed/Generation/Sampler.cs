using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;

namespace Mamba.Managed.Generation;

/// <summary>Chooses a token from the logits of a step, and remembers what its penalties need.</summary>
/// <remarks>
/// Equal inputs and seeds give equal tokens on every machine: each step is one fixed sequence of operations. Tokens of equal probability rank
/// by id, the lowest first. A sampler holds its random numbers and, where penalties are asked for, counts of the text's tokens; what a call needs
/// besides is the caller's <see cref="SamplerScratch"/>. A sampler belongs to one sequence; two threads must not use it at once.
/// </remarks>
internal sealed class Sampler
{
    private readonly GenerationOptions options;
    private readonly KeyValuePair<int, float>[] biases;
    private readonly TokenCounts? counts;
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
        VocabularySize = vocabularySize;
        Seed = options.Seed ?? (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue);
        random = new SplitMix64(Seed);
        biases = options.LogitBias.Count == 0 ? [] : [.. options.LogitBias.OrderBy(entry => entry.Key)];
        counts = options is { RepetitionPenalty: 1, FrequencyPenalty: 0, PresencePenalty: 0 } ? null : new TokenCounts();
    }

    private Sampler(Sampler other)
    {
        (options, biases, counts, random) = (other.options, other.biases, other.counts?.Copy(), other.random);
        (VocabularySize, Seed) = (other.VocabularySize, other.Seed);
    }

    /// <summary>How tokens are chosen.</summary>
    public GenerationOptions Options => options;

    /// <summary>One more than the largest id that may be chosen.</summary>
    public int VocabularySize { get; }

    /// <summary>The seed in use: that of the options, or one drawn.</summary>
    public ulong Seed { get; private init; }

    /// <summary>Where the random numbers stand.</summary>
    internal ulong RandomState => random.State;

    /// <summary>Tells the sampler of tokens that were not chosen by it, for the repetition penalty.</summary>
    /// <param name="tokens">[tokens]</param>
    /// <exception cref="ArgumentException">An id is out of range.</exception>
    public void Observe(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)VocabularySize)
            {
                Throw.Argument(Throw.Invariant($"expected token ids from 0 to {VocabularySize - 1}, found {token}"), nameof(tokens));
            }
        }

        foreach (int token in tokens)
        {
            counts?.Add(token, generated: false);
        }
    }

    /// <summary>Chooses the next token and counts it.</summary>
    /// <param name="logits">[vocabulary]; not changed. Negative infinity forbids a token.</param>
    /// <param name="scratch">For a vocabulary of at least this size.</param>
    /// <returns>The token's id.</returns>
    /// <exception cref="ArgumentException">The logits are not as many as the vocabulary.</exception>
    /// <exception cref="InvalidDataException">A logit is NaN or positive infinity, or every token is forbidden.</exception>
    public int Sample(ReadOnlySpan<float> logits, SamplerScratch scratch)
    {
        ArgumentNullException.ThrowIfNull(scratch);
        Throw.UnlessLength(VocabularySize, logits.Length);
        if (scratch.VocabularySize < VocabularySize)
        {
            Throw.Argument(Throw.Invariant($"expected room for a vocabulary of {VocabularySize}, found room for {scratch.VocabularySize}"), nameof(scratch));
        }

        Span<float> weights = scratch.Weights.AsSpan(0, VocabularySize);

        // Adding zero copies, and makes the two zeros one, which rank apart otherwise.
        TensorPrimitives.Add(logits, 0f, weights);
        counts?.Penalize(weights, options);
        foreach ((int id, float bias) in biases)
        {
            weights[id] += bias;
        }

        float max = TensorPrimitives.Max<float>(weights);
        if (!float.IsFinite(max))
        {
            ThrowNotFinite(weights, max);
        }

        int token = options.Temperature == 0 ? FirstOf(weights, max) : Draw(scratch, weights, max);
        counts?.Add(token, generated: true);
        return token;
    }

    /// <summary>A sampler that goes on as this one would, by itself.</summary>
    internal Sampler Copy() => new(this);

    /// <summary>Goes on from where the random numbers of another stood.</summary>
    internal static Sampler Restore(GenerationOptions options, int vocabularySize, ulong seed, ulong randomState) =>
        new(options, vocabularySize) { Seed = seed, random = new SplitMix64(randomState) };

    /// <summary>Counts a token of the text; one that is never chosen needs no count.</summary>
    internal void Observe(int token, bool generated)
    {
        if (token < VocabularySize)
        {
            counts?.Add(token, generated);
        }
    }

    /// <summary>Forgets the counts; random numbers stay where they are.</summary>
    internal void Forget() => counts?.Clear();

    // Equal floats have equal bits here, and whole words are searched many at a time.
    private static int FirstOf(ReadOnlySpan<float> weights, float value) => MemoryMarshal.Cast<float, int>(weights).IndexOf(BitConverter.SingleToInt32Bits(value));

    private static void ThrowNotFinite(ReadOnlySpan<float> weights, float max) => throw new InvalidDataException(float.IsNegativeInfinity(max)
        ? "expected at least one token that is not forbidden, found none; look at the logit bias"
        : Throw.Invariant($"expected finite logits, found {max} for token {weights.IndexOf(max)}; the model's weights are damaged"));

    private int Draw(SamplerScratch scratch, Span<float> weights, float max)
    {
        SoftmaxWeights.Forward(weights, max, 1 / options.Temperature, weights);
        bool byRank = (options.TopK > 0 && options.TopK < weights.Length) || options.TopP < 1;
        return byRank ? DrawRanked(weights, Ranking(weights, scratch.Ranked)) : DrawAny(weights);
    }

    // Without top-k and top-p no order is needed: min-p is a threshold, as the most probable token weighs exactly 1.
    private int DrawAny(Span<float> weights)
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

    private int DrawRanked(ReadOnlySpan<float> weights, ReadOnlySpan<ulong> candidates)
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
