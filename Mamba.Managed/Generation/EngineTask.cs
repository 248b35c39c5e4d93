using System.Diagnostics;
using System.Threading.Channels;

namespace Mamba.Managed.Generation;

/// <summary>A request on its way through an engine: queued, running, ended.</summary>
internal sealed class EngineTask
{
    private readonly Channel<GeneratedToken> tokens = Channel.CreateUnbounded<GeneratedToken>(new() { SingleWriter = true });
    private readonly TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int readAhead;
    private readonly CancellationToken cancellation;
    private int demanded;

    /// <summary>A request that has just arrived.</summary>
    public EngineTask(GenerationRequest request, TenantShare tenant, long number, CancellationToken cancellation)
    {
        (Request, Tenant, Number, this.cancellation) = (request, tenant, number, cancellation);
        readAhead = request.ReadAhead ?? (request.Session is null ? int.MaxValue : 0);
        Arrival = Stopwatch.GetTimestamp();
    }

    /// <summary>What is asked for.</summary>
    public GenerationRequest Request { get; }

    /// <summary>Whose it is.</summary>
    public TenantShare Tenant { get; }

    /// <summary>Its place in the order of arrival.</summary>
    public long Number { get; }

    /// <summary>When it arrived, as <see cref="Stopwatch"/> counts.</summary>
    public long Arrival { get; }

    /// <summary>Its work, from when it runs.</summary>
    public GenerationTurn? Turn { get; set; }

    /// <summary>The last pass that it was in.</summary>
    public long LastPass { get; set; }

    /// <summary>Whether its reader is gone; the engine's lock guards it.</summary>
    public bool IsLeft { get; private set; }

    /// <summary>Whether its reader was too late for a pass; it is not waited for again.</summary>
    public bool IsLate { get; set; }

    /// <summary>Whether the engine is done with it.</summary>
    public bool IsReleased => released.Task.IsCompleted;

    /// <summary>Completes when the engine is done with it and its session.</summary>
    public Task Released => released.Task;

    /// <summary>Where its reader gets tokens.</summary>
    public ChannelReader<GeneratedToken> Tokens => tokens.Reader;

    /// <summary>What it has used so far.</summary>
    public GenerationUsage Usage { get; private set; }

    /// <summary>Whether its caller has canceled it.</summary>
    public bool IsCanceled => cancellation.IsCancellationRequested;

    /// <summary>Whether it may generate a token now; the engine's lock guards it.</summary>
    public bool IsReady => !IsLeft && !IsCanceled && Turn?.IsLoading != true && (Turn?.Count ?? 0) - demanded < readAhead;

    /// <summary>When it is to end at the latest; null for never.</summary>
    public long? Deadline => Request.Deadline is TimeSpan time ? Arrival + (long)Math.Min(time.TotalSeconds * Stopwatch.Frequency, long.MaxValue / 4) : null;

    /// <summary>Its reader asks for the next token.</summary>
    public void Demand() => demanded += demanded < int.MaxValue / 2 ? 1 : 0;

    /// <summary>Its reader asks for all tokens.</summary>
    public void DemandAll() => demanded = int.MaxValue / 2;

    /// <summary>Its reader goes.</summary>
    public void Leave() => IsLeft = true;

    /// <summary>Takes note of what was used.</summary>
    public void Use() => Usage = Turn!.Usage;

    /// <summary>Hands a token to the reader, who goes on on a thread of the pool.</summary>
    public void Give(GeneratedToken token) => tokens.Writer.TryWrite(token);

    /// <summary>The text of tokens that nobody has read; the reader is gone.</summary>
    public string Unread()
    {
        string text = "";
        while (tokens.Reader.TryRead(out GeneratedToken token))
        {
            text += token.Text;
        }

        return text;
    }

    /// <summary>The engine is done with it.</summary>
    /// <param name="last">Its last token; null where it ends without one.</param>
    /// <param name="error">Why it ends; null for a regular end.</param>
    public void Release(GeneratedToken? last, Exception? error)
    {
        Turn?.Dispose();
        if (Request.Session is null)
        {
            Turn?.Session.Dispose();
        }
        else
        {
            Request.Session.Leave();
        }

        released.TrySetResult();
        if (last is GeneratedToken token)
        {
            Give(token);
        }

        tokens.Writer.TryComplete(error);
    }
}

/// <summary>How much of an engine's work a tenant has had; those who had least come first.</summary>
internal sealed class TenantShare(long served)
{
    /// <summary>Tokens fed for it.</summary>
    public long Served { get; set; } = served;

    /// <summary>Its requests that are queued or running.</summary>
    public int Requests { get; set; }
}
