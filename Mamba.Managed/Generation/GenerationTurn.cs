using System.Diagnostics;
using System.Text;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation.Prefixes;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>One continuation of a session: a prompt and the tokens generated after it, until a finish reason. It never calls an executor's passes.</summary>
internal sealed class GenerationTurn : IDisposable
{
    // Fewer tokens than this are soon fed again, should their pass fail.
    private const int WorthCopy = 16;

    private readonly GenerationRequest request;
    private readonly Tokenizer tokenizer;
    private readonly Sampler sampler;
    private readonly int[] endTokens;
    private readonly StreamingDecoder decoder;
    private readonly StopMatcher stops;
    private readonly StopUndo undo;
    private readonly HeldText heldBefore;
    private readonly int tokensBefore;
    private readonly SequenceState? stateBefore;
    private readonly long started;
    private readonly bool isOwn;
    private readonly PrefixPlan? plan;
    private PrefixUse prefix;
    private TimeSpan promptTime;
    private bool isEnded;

    /// <summary>Appends the prompt of a request to its session.</summary>
    /// <param name="request">A valid one.</param>
    /// <param name="session">The request's, or one of the engine's own.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="executor">Makes states for copies.</param>
    /// <param name="cache">What has been read before; null for nothing.</param>
    /// <param name="isNew">Whether the session's state is known to be a new one.</param>
    public GenerationTurn(
        GenerationRequest request, GenerationSession session, Tokenizer tokenizer, IMambaExecutor executor, PrefixCache? cache = null, bool isNew = false)
    {
        started = Stopwatch.GetTimestamp();
        (this.request, this.tokenizer, Session) = (request, tokenizer, session);
        sampler = new Sampler(request.Options, tokenizer.VocabularySize, request.Constraint);
        endTokens = [.. request.Options.EndTokenIds ?? tokenizer.EndTokenIds];

        // What is generated continues a text, so that a space at its beginning stays.
        decoder = new StreamingDecoder(tokenizer, isStart: false);
        stops = new StopMatcher(request.Options.Stop);
        undo = new StopUndo(session, tokenizer, executor);
        (tokensBefore, heldBefore) = (session.Tokens.Length, session.Held);
        session.Append(request.Prompt.Span);
        if (session.Waiting.IsEmpty)
        {
            // Every token was fed, but the logits of the last are not available, for example after a restore: all tokens are fed again.
            session.Rewind();
        }

        isOwn = isNew || session.IsOwnState;
        plan = isOwn && cache is not null ? new(cache, session, executor.Fingerprint) : null;
        if (session.State.Position > 0 && session.Waiting.Length >= WorthCopy)
        {
            stateBefore = executor.CreateState();
            stateBefore.CopyFrom(session.State);
        }
    }

    /// <summary>The text that is continued.</summary>
    public GenerationSession Session { get; }

    /// <summary>Tokens chosen so far.</summary>
    public int Count { get; private set; }

    /// <summary>What was used so far.</summary>
    public GenerationUsage Usage => new(request.Prompt.Length, Count) { Prefix = prefix };

    /// <summary>Whether what was read before is being looked for in files; the turn waits for it.</summary>
    public bool IsLoading => plan?.IsLoading == true;

    /// <summary>Whether <see cref="Start"/> was called.</summary>
    public bool IsStarted { get; private set; }

    /// <summary>How many of the waiting tokens may be fed in one pass.</summary>
    public int Room => plan?.Room ?? int.MaxValue;

    /// <summary>Begins to look for files.</summary>
    /// <param name="changed">Called when that has ended.</param>
    public void Load(Action changed) => plan?.Load(changed);

    /// <summary>Takes the beginning of the text from the cache; to be called before the first pass.</summary>
    public PrefixUse Start()
    {
        IsStarted = true;
        prefix = plan?.Start() ?? default;
        Mark();
        return prefix;
    }

    /// <summary>To be called before the session's waiting tokens are fed.</summary>
    public void Feed()
    {
        if (Count > 0 && stops.Count > 0)
        {
            undo.Feed(stops.Held.IsEmpty && decoder.Incomplete.IsEmpty);
        }
    }

    /// <summary>To be called after waiting tokens were fed.</summary>
    public void Fed()
    {
        Mark();
        if (Count == 0)
        {
            plan?.Fed();
        }
    }

    /// <summary>Chooses the next token and returns it with the text that it completes; the last token has a summary.</summary>
    /// <param name="logits">[vocabulary]: of the last waiting token, which has been fed.</param>
    /// <param name="scratch">Buffers.</param>
    /// <exception cref="InvalidDataException">The logits are not finite, or every token is forbidden.</exception>
    public GeneratedToken Choose(ReadOnlySpan<float> logits, GenerationScratch scratch)
    {
        string before = Count == 0 ? Begin() : "";
        bool wasHeld = !stops.Held.IsEmpty, wasIncomplete = !decoder.Incomplete.IsEmpty;
        int token = Session.Accept(logits, sampler, scratch.Sampler);
        Count++;
        FinishReason? reason = null;
        string text = "";
        if (endTokens.Contains(token))
        {
            reason = FinishReason.EndToken;
        }
        else
        {
            ReadOnlySpan<char> piece = decoder.Append(token);
            text = stops.Append(piece).ToString();
            bool isOwn = !wasIncomplete && (!wasHeld || (!stops.IsStopped && stops.Held.Length <= piece.Length));
            undo.Accept(text, !isOwn ? null : wasHeld ? piece[..^stops.Held.Length].ToString() : text);
            reason = stops.IsStopped ? FinishReason.Stop : request.Constraint?.IsComplete == true ? FinishReason.EndToken : Count >= request.Options.MaxTokens ? FinishReason.Length : null;
        }

        isEnded = reason is not null;
        text = before + text + (isEnded ? Rest() : "");
        (float? logProbability, IReadOnlyList<TokenLogProbability> top) = LogProbability(token, logits, scratch);
        return new(token, text, logProbability, top, reason is null ? null : End(reason.Value));
    }

    /// <summary>Ends the turn before its end: what its reader has not got is left to the next turn.</summary>
    /// <param name="unread">Text of tokens that nobody read.</param>
    public void Leave(string unread)
    {
        if (Count == 0)
        {
            Undo();
        }
        else if (!isEnded)
        {
            Session.Held = new(decoder.Incomplete.ToArray(), unread + stops.Held.ToString());
        }
    }

    /// <summary>Ends the turn after its pass or its choice failed: the session holds the tokens chosen before, or is as it was before the turn.</summary>
    /// <param name="isStateLost">Whether the state may be half advanced. Fed again from the beginning, the text gives the same bits.</param>
    public void Fail(bool isStateLost)
    {
        if (isStateLost)
        {
            Session.Rewind();
        }

        Leave("");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        stateBefore?.Dispose();
        undo.Dispose();
    }

    private void Undo()
    {
        if (stateBefore is not null)
        {
            Session.State.CopyFrom(stateBefore);
            Mark();
        }

        Session.Withdraw(tokensBefore);
        Session.Held = heldBefore;
    }

    // Text held by an earlier turn is returned first, unless a prompt follows it.
    private string Begin()
    {
        promptTime = Stopwatch.GetElapsedTime(started);
        if (!request.Prompt.IsEmpty)
        {
            return "";
        }

        Session.Held = HeldText.None;
        undo.Held(heldBefore);
        return stops.Append(heldBefore.Text).ToString() + stops.Append(decoder.Append(heldBefore.Bytes)).ToString();
    }

    private GenerationSummary End(FinishReason reason)
    {
        if (reason == FinishReason.Stop)
        {
            undo.Stop();
            Mark();
        }

        plan?.Store();
        return new(reason, request.Prompt.Length, Count, promptTime, Stopwatch.GetElapsedTime(started) - promptTime) { Prefix = prefix };
    }

    private void Mark()
    {
        if (isOwn)
        {
            Session.MarkOwn();
        }
    }

    private (float? Own, IReadOnlyList<TokenLogProbability> Top) LogProbability(int token, ReadOnlySpan<float> logits, GenerationScratch scratch)
    {
        if (request.Options.LogProbs is not int most)
        {
            return (null, []);
        }

        ReadOnlySpan<float> own = logits[..sampler.VocabularySize];
        scratch.LogProbabilities.Measure(own);
        return (scratch.LogProbabilities.Of(own[token]), scratch.LogProbabilities.Top(own, most));
    }

    private string Rest() => stops.Append(decoder.Flush()).ToString() + (stops.IsStopped ? "" : stops.Flush().ToString());
}
