using System.Diagnostics;
using Mamba.Managed.Execution;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>One continuation of a session: from a prompt to the reason for which it ends.</summary>
internal sealed class GenerationTurn : IDisposable
{
    private readonly GenerationSession session;
    private readonly int[] prompt;
    private readonly int[] endTokens;
    private readonly StreamingDecoder decoder;
    private readonly StopMatcher stops;
    private int promptTokens;
    private int count;
    private bool isEnded;
    private TimeSpan promptTime;
    private TimeSpan generationTime;

    /// <summary>Prepares a turn; nothing is appended before the first token is asked for.</summary>
    public GenerationTurn(GenerationSession session, Tokenizer tokenizer, int[] prompt)
    {
        this.session = session;
        this.prompt = prompt;
        endTokens = session.Options.EndTokenIds is { } ids ? [.. ids] : tokenizer.EndTokenId is int end ? [end] : [];
        decoder = new StreamingDecoder(tokenizer);
        stops = new StopMatcher(session.Options.Stop);
    }

    /// <summary>Feeds what waits, chooses the next token, and gives the text that became certain; the last token has a summary.</summary>
    /// <remarks>Where the first call fails or is canceled the session is as it was before; a later one leaves it with the tokens given out until then.</remarks>
    public GeneratedToken Next(IMambaExecutor executor, GenerationScratch scratch, CancellationToken cancellationToken)
    {
        string before = count == 0 ? Begin(executor, scratch, cancellationToken) : "";
        long started = Stopwatch.GetTimestamp();
        if (count > 0)
        {
            Feed(executor, scratch, cancellationToken);
        }

        int token = Accept(scratch);
        count++;
        FinishReason? reason = null;
        string text = before;
        if (endTokens.Contains(token))
        {
            reason = FinishReason.EndToken;
        }
        else
        {
            text += stops.Append(decoder.Append(token)).ToString();
            reason = stops.IsStopped ? FinishReason.Stop : count >= session.Options.MaxTokens ? FinishReason.Length : null;
        }

        isEnded = reason is not null;
        text = isEnded ? text + Rest() : text;
        (float? logProbability, IReadOnlyList<TokenLogProbability> top) = LogProbability(token, scratch);
        generationTime += Stopwatch.GetElapsedTime(started);
        return new(token, text, logProbability, top, reason is null ? null : new(reason.Value, promptTokens, count, promptTime, generationTime));
    }

    /// <summary>A turn that is left before its end keeps for the next what it had not given out.</summary>
    public void Dispose() =>
        session.Held = isEnded || count == 0 ? session.Held : new(decoder.Incomplete.ToArray(), stops.Held.ToString());

    // Text that an earlier turn was left with goes first, unless a prompt follows it.
    private string Begin(IMambaExecutor executor, GenerationScratch scratch, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        int before = session.Tokens.Length;
        HeldText held = session.Held;
        try
        {
            session.Append(prompt);
            Feed(executor, scratch, cancellationToken);
        }
        catch
        {
            session.Withdraw(before);
            session.Held = held;
            throw;
        }

        promptTokens = prompt.Length;
        promptTime = Stopwatch.GetElapsedTime(started);
        return promptTokens > 0 ? "" : stops.Append(held.Text).ToString() + stops.Append(decoder.Append(held.Bytes)).ToString();
    }

    private void Feed(IMambaExecutor executor, GenerationScratch scratch, CancellationToken cancellationToken)
    {
        if (session.Waiting.IsEmpty)
        {
            // The logits of the last token are gone, as in a session that was restored after its text was read.
            session.Rewind();
        }

        try
        {
            executor.Prefill(session.Waiting, session.State, scratch.Logits, cancellationToken);
        }
        catch (Exception error) when (error is not (OperationCanceledException or ArgumentException or ObjectDisposedException))
        {
            // A pass that failed on its way may have left the state half advanced; read again from the beginning, the text comes to the same bits.
            session.Rewind();
            throw;
        }
    }

    private int Accept(GenerationScratch scratch)
    {
        int before = session.Tokens.Length - (count == 0 ? prompt.Length : 0);
        try
        {
            return session.Accept(scratch.Logits, scratch.Sampler);
        }
        catch
        {
            session.Withdraw(before);
            throw;
        }
    }

    private (float? Own, IReadOnlyList<TokenLogProbability> Top) LogProbability(int token, GenerationScratch scratch)
    {
        if (session.Options.LogProbs is not int most)
        {
            return (null, []);
        }

        ReadOnlySpan<float> logits = scratch.Logits.AsSpan(0, session.VocabularySize);
        scratch.LogProbabilities.Measure(logits);
        return (scratch.LogProbabilities.Of(logits[token]), scratch.LogProbabilities.Top(logits, most));
    }

    private string Rest() => stops.Append(decoder.Flush()).ToString() + (stops.IsStopped ? "" : stops.Flush().ToString());
}
