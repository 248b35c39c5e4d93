using System.Buffers;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;

namespace Mamba.Managed.Execution;

/// <summary>Feeds any number of tokens, in several passes where needed: prompts in chunks, with cancellation, and batches of any size.</summary>
/// <remarks>
/// A call that throws or is canceled leaves every state as it was. The exception is a device failure in a call that fits one pass and feeds fewer
/// than 16 tokens or several sequences: it makes no copies, see <see cref="IMambaExecutor.Run(ReadOnlySpan{int}, ReadOnlySpan{SequenceInput}, Span{float})"/>.
/// </remarks>
public static class MambaExecutorExtensions
{
    // From this many tokens on, a pass takes far longer than a copy of the state, so a copy to restore after a device failure costs little.
    private const int WorthCopy = 16;

    /// <summary>Feeds tokens to one sequence.</summary>
    /// <param name="executor">The model.</param>
    /// <param name="tokens">At least one token id.</param>
    /// <param name="state">The sequence so far; advanced by the tokens.</param>
    /// <param name="logits">[vocab_size]: of the last token only, or [tokens, vocab_size]: of each token.</param>
    /// <param name="cancellationToken">Checked between chunks.</param>
    /// <exception cref="ArgumentException">No tokens, an id out of range, logits of another length, or a state of another model's sizes.</exception>
    /// <exception cref="OperationCanceledException">The call was canceled.</exception>
    public static void Prefill(
        this IMambaExecutor executor, ReadOnlySpan<int> tokens, SequenceState state, Span<float> logits, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(executor);
        ArgumentNullException.ThrowIfNull(state);
        int vocabulary = executor.Config.VocabSize;
        CheckTokens(tokens, vocabulary);
        bool all = tokens.Length > 1 && logits.Length == (long)tokens.Length * vocabulary;
        Throw.UnlessLength(all ? logits.Length : vocabulary, logits.Length);
        cancellationToken.ThrowIfCancellationRequested();
        if (tokens.Length < WorthCopy && tokens.Length <= executor.PromptChunk)
        {
            Pass(executor, tokens, state, all ? LogitRows.All : LogitRows.Last, logits);
            return;
        }

        using StateCopies copies = new(executor, new ReadOnlySpan<SequenceState>(ref state));
        try
        {
            Chunks(executor, tokens, state, all, logits, cancellationToken);
        }
        catch
        {
            copies.Restore();
            throw;
        }
    }

    /// <summary>Feeds one token to each of several sequences.</summary>
    /// <param name="executor">The model.</param>
    /// <param name="tokens">[sequences]</param>
    /// <param name="states">[sequences]: all different.</param>
    /// <param name="logits">[sequences, vocab_size]</param>
    /// <exception cref="ArgumentException">An id out of range, a state that appears twice, or lengths that do not agree.</exception>
    public static void Step(this IMambaExecutor executor, ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceState> states, Span<float> logits)
    {
        Throw.UnlessLength(tokens.Length, states.Length);
        int[] ones = ArrayPool<int>.Shared.Rent(tokens.Length);
        ones.AsSpan(0, tokens.Length).Fill(1);
        Forward(executor, tokens, ones.AsSpan(0, tokens.Length), states, logits);
        ArrayPool<int>.Shared.Return(ones);
    }

    /// <summary>Feeds tokens to several sequences, a different number to each.</summary>
    /// <param name="executor">The model.</param>
    /// <param name="tokens">The tokens of all sequences, one sequence after the other.</param>
    /// <param name="lengths">[sequences]: how many tokens belong to each, at least one.</param>
    /// <param name="states">[sequences]: all different; each is advanced by its tokens.</param>
    /// <param name="logits">[sequences, vocab_size]: of each last token, or [tokens, vocab_size]: of each token.</param>
    /// <exception cref="ArgumentException">An id out of range, a state that appears twice, or lengths that do not agree.</exception>
    public static void Forward(
        this IMambaExecutor executor, ReadOnlySpan<int> tokens, ReadOnlySpan<int> lengths, ReadOnlySpan<SequenceState> states, Span<float> logits)
    {
        ArgumentNullException.ThrowIfNull(executor);
        Throw.UnlessLength(states.Length, lengths.Length);
        int vocabulary = executor.Config.VocabSize;
        CheckTokens(tokens, vocabulary);
        bool all = logits.Length == (long)tokens.Length * vocabulary;
        Throw.UnlessLength(all ? logits.Length : (long)states.Length * vocabulary, logits.Length);
        SequenceInput[] batch = ArrayPool<SequenceInput>.Shared.Rent(states.Length);
        try
        {
            Span<SequenceInput> inputs = batch.AsSpan(0, states.Length);
            for (int i = 0; i < inputs.Length; i++)
            {
                inputs[i] = new(states[i], lengths[i], all ? LogitRows.All : LogitRows.Last);
            }

            CheckLengths(inputs, tokens.Length);
            Forward(executor, tokens, inputs, logits);
        }
        finally
        {
            ArrayPool<SequenceInput>.Shared.Return(batch, clearArray: true);
        }
    }

    private static void Forward(IMambaExecutor executor, ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits)
    {
        if (tokens.Length <= executor.MaxRows && batch.Length > 1)
        {
            executor.Run(tokens, batch, logits);
            return;
        }

        CheckStates(batch);
        SequenceState[] states = new SequenceState[batch.Length];
        for (int i = 0; i < states.Length; i++)
        {
            states[i] = batch[i].State;
        }

        using StateCopies copies = new(executor, states);
        try
        {
            Passes(executor, tokens, batch, logits);
        }
        catch
        {
            copies.Restore();
            throw;
        }
    }

    // Whole sequences share a pass while they fit; a longer sequence runs alone, in chunks.
    private static void Passes(IMambaExecutor executor, ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits)
    {
        int vocabulary = executor.Config.VocabSize;
        for (int first = 0, start = 0; first < batch.Length;)
        {
            (int next, int end, int rows) = (first + 1, start + batch[first].Length, batch[first].LogitCount);
            while (next < batch.Length && end + batch[next].Length - start <= executor.MaxRows)
            {
                end += batch[next].Length;
                rows += batch[next++].LogitCount;
            }

            Span<float> output = logits[..(rows * vocabulary)];
            if (next == first + 1)
            {
                Chunks(executor, tokens[start..end], batch[first].State, batch[first].Logits == LogitRows.All, output, CancellationToken.None);
            }
            else
            {
                executor.Run(tokens[start..end], batch[first..next], output);
            }

            logits = logits[output.Length..];
            (first, start) = (next, end);
        }
    }

    private static void Chunks(
        IMambaExecutor executor, ReadOnlySpan<int> tokens, SequenceState state, bool all, Span<float> logits, CancellationToken cancellationToken)
    {
        int vocabulary = executor.Config.VocabSize, chunk = executor.PromptChunk;
        if (chunk < 1)
        {
            throw new InvalidOperationException(Throw.Invariant($"expected an executor whose passes take at least one token of a prompt, found {chunk}"));
        }

        for (int start = 0; start < tokens.Length; start += chunk)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int length = Math.Min(chunk, tokens.Length - start);
            LogitRows wanted = all ? LogitRows.All : start + length == tokens.Length ? LogitRows.Last : LogitRows.None;
            Span<float> rows = all ? logits.Slice(start * vocabulary, length * vocabulary) : wanted == LogitRows.Last ? logits : [];
            Pass(executor, tokens.Slice(start, length), state, wanted, rows);
        }
    }

    private static void Pass(IMambaExecutor executor, ReadOnlySpan<int> tokens, SequenceState state, LogitRows wanted, Span<float> logits)
    {
        SequenceInput input = new(state, tokens.Length, wanted);
        executor.Run(tokens, new ReadOnlySpan<SequenceInput>(ref input), logits);
    }

    private static void CheckTokens(ReadOnlySpan<int> tokens, int vocabulary)
    {
        if (tokens.IsEmpty)
        {
            Throw.Argument("expected at least one token, found none", nameof(tokens));
        }

        Embedding.RequireTokens(tokens, vocabulary);
    }

    private static void CheckLengths(ReadOnlySpan<SequenceInput> batch, int tokens)
    {
        long total = 0;
        foreach (SequenceInput input in batch)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(input.Length, "lengths");
            total += input.Length;
        }

        Throw.UnlessLength(total, tokens);
    }

    // A pass checks its own states only; over several passes a state could appear twice.
    private static void CheckStates(ReadOnlySpan<SequenceInput> batch)
    {
        foreach (SequenceInput input in batch)
        {
            ArgumentNullException.ThrowIfNull(input.State, "states");
        }

        PassBatch.RequireDistinct(batch, new(batch.Length, ReferenceEqualityComparer.Instance), "states");
    }
}
