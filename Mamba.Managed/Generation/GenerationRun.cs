using System.Diagnostics;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>One continuation of a session: from a prompt to the reason for which it ended.</summary>
internal sealed class GenerationRun
{
    private readonly GenerationSession session;
    private readonly int[] prompt;
    private readonly int[] endTokens;
    private readonly StreamingDecoder decoder;
    private readonly StopMatcher stops;
    private readonly LogProbabilities logProbabilities;
    private int promptTokens;
    private int count;
    private TimeSpan promptTime;
    private TimeSpan generationTime;

    public GenerationRun(GenerationSession session, Tokenizer tokenizer, int[] prompt)
    {
        this.session = session;
        this.prompt = prompt;
        endTokens = session.Options.EndTokenIds is { } ids ? [.. ids] : tokenizer.EndTokenId is int end ? [end] : [];
        decoder = new StreamingDecoder(tokenizer);
        stops = new StopMatcher(session.Options.Stop);
        logProbabilities = new LogProbabilities(session.Logits.Length);
    }

    /// <summary>Feeds the prompt.</summary>
    public void Begin(CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        session.Append(prompt, cancellationToken);
        promptTime = Stopwatch.GetElapsedTime(started);
        promptTokens = prompt.Length;
    }

    /// <summary>The next token; the last one has a summary.</summary>
    public GeneratedToken Next()
    {
        long started = Stopwatch.GetTimestamp();
        int token = session.Next();
        count++;
        logProbabilities.Measure(session.Logits);
        float logProbability = logProbabilities.Of(session.Logits[token]);
        TokenLogProbability[] top = logProbabilities.Top(session.Logits, session.Options.LogProbs);
        FinishReason? reason = null;
        string text = "";
        if (endTokens.Contains(token))
        {
            reason = FinishReason.EndToken;
        }
        else
        {
            text = Text(stops.Append(decoder.Append(token)));
            reason = stops.IsStopped ? FinishReason.Stop : count == session.Options.MaxTokens ? FinishReason.Length : null;
        }

        text = reason is null ? text : text + Rest();
        generationTime += Stopwatch.GetElapsedTime(started);
        return new(token, text, logProbability, top, reason is null ? null : Summary(reason.Value));
    }

    /// <summary>What is still held back when no token follows.</summary>
    public string Rest() => stops.Append(decoder.Flush()).ToString() + (stops.IsStopped ? "" : stops.Flush().ToString());

    /// <summary>How it went until now.</summary>
    public GenerationSummary Summary(FinishReason reason) => new(reason, promptTokens, count, promptTime, generationTime);

    private static string Text(ReadOnlySpan<char> piece) => piece.IsEmpty ? "" : piece.ToString();
}
