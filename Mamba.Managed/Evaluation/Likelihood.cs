using System.Numerics.Tensors;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Evaluation;

/// <summary>How well a model predicts tokens: the sum of -ln p over the scored ones.</summary>
/// <param name="Nats">The sum, in nats.</param>
/// <param name="Tokens">How many tokens it is over.</param>
public readonly record struct Likelihood(double Nats, int Tokens)
{
    // Rows of logits held at once.
    private const int Chunk = 128;

    /// <summary>The mean, in nats; its exponential is the perplexity.</summary>
    public double NatsPerToken => Nats / Tokens;

    /// <summary>Feeds a text window by window, each from a fresh state; the first token of a window is context only.</summary>
    /// <param name="executor">The model.</param>
    /// <param name="tokens">At least two token ids.</param>
    /// <param name="window">Tokens of a window, which the model processes from a fresh state; at least two.</param>
    /// <param name="progress">Receives the number of tokens scored so far; null for none.</param>
    /// <param name="cancellationToken">Checked between chunks.</param>
    /// <exception cref="ArgumentException">There are fewer than two tokens, or an id out of range.</exception>
    /// <exception cref="InvalidDataException">A logit is NaN or infinite.</exception>
    public static Likelihood Measure(
        IMambaExecutor executor, ReadOnlySpan<int> tokens, int window, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(executor);
        ArgumentOutOfRangeException.ThrowIfLessThan(window, 2);
        if (tokens.Length < 2)
        {
            Throw.Argument(Throw.Invariant($"expected at least two tokens, found {tokens.Length}; the first is context only"), nameof(tokens));
        }

        int vocabulary = executor.Config.VocabSize;
        Layers.Embedding.RequireTokens(tokens, vocabulary);
        float[] logits = new float[checked(Chunk * vocabulary)];
        Likelihood score = default;
        using SequenceState state = executor.CreateState();
        for (int start = 0; start < tokens.Length - 1; start += window)
        {
            state.Clear();
            int end = start + Math.Min(window, tokens.Length - start);
            for (int at = start; at < end - 1; at += Chunk)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int rows = Math.Min(Chunk, end - 1 - at);
                executor.Prefill(tokens.Slice(at, rows), state, logits.AsSpan(0, rows * vocabulary), cancellationToken);
                for (int row = 0; row < rows; row++)
                {
                    double nats = NegativeLogLikelihood(logits.AsSpan(row * vocabulary, vocabulary), tokens[at + row + 1]);
                    if (!double.IsFinite(nats))
                    {
                        throw new InvalidDataException(Throw.Invariant($"expected finite logits, found others after token {at + row}; the model's weights are damaged"));
                    }

                    score = new(score.Nats + nats, score.Tokens + 1);
                }

                progress?.Report(score.Tokens);
            }
        }

        return score;
    }

    private static double NegativeLogLikelihood(ReadOnlySpan<float> logits, int token)
    {
        float max = TensorPrimitives.Max(logits);
        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - max);
        }

        return Math.Log(sum) + max - logits[token];
    }
}
