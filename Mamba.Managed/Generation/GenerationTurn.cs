using System.Diagnostics;
using Mamba.Managed.Execution;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>One continuation of a session: a prompt and the tokens generated after it, until a finish reason.</summary>
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

    /// <summary>Prepares a turn; the prompt is appended by the first call of <see cref="Next"/>.</summary>
    public GenerationTurn(GenerationSession session, Tokenizer tokenizer, int[] prompt)
    {
        this.session = session;
        this.prompt = prompt;
        endTokens = [.. session.Options.EndTokenIds ?? tokenizer.EndTokenIds];
        // What is generated continues a text, so that a space at its beginning stays.
        decoder = new StreamingDecoder(tokenizer, isStart: false);
        stops = new StopMatcher(session.Options.Stop);
    }

    /// <summary>Feeds the waiting tokens, chooses the next one, and returns it with the text that it completes; the last token has a summary.</summary>
    /// <remarks>If the first call fails or is canceled, the session is unchanged; after a later failure it holds the tokens returned before.</remarks>
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

    /// <summary>A turn that is disposed before its end leaves the text that it had not returned to the next turn.</summary>
    public void Dispose() =>
        session.Held = isEnded || count == 0 ? session.Held : new(decoder.Incomplete.ToArray(), stops.Held.ToString());

    // Text held by an earlier turn is returned first, unless a prompt follows it.
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
            // Every token was fed, but the logits of the last are not available, for example after a restore: all tokens are fed again.
            session.Rewind();
        }

        try
        {
            executor.Prefill(session.Waiting, session.State, scratch.Logits, cancellationToken);
        }
        catch (Exception error) when (error is not (OperationCanceledException or ArgumentException or ObjectDisposedException))
        {
            // A failed pass may have left the state half advanced. Fed again from the beginning, the text gives the same bits.
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
