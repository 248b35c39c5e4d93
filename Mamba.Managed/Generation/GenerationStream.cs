namespace Mamba.Managed.Generation;

/// <summary>The tokens of a request as they come; each enumeration asks again from the beginning.</summary>
/// <remarks>An enumeration that is left early, by <c>break</c> or by cancellation, ends the request at once.</remarks>
public sealed class GenerationStream : IAsyncEnumerable<GeneratedToken>
{
    private readonly EngineLoop loop;
    private readonly GenerationRequest request;
    private readonly CancellationToken cancellation;
    private EngineTask? latest;

    internal GenerationStream(EngineLoop loop, GenerationRequest request, CancellationToken cancellation) =>
        (this.loop, this.request, this.cancellation) = (loop, request, cancellation);

    /// <summary>What the latest enumeration has used so far, also after it was canceled or failed.</summary>
    public GenerationUsage Usage => latest?.Usage ?? default;

    /// <summary>Queues the request and returns its tokens: at least one, of which the last has a summary.</summary>
    /// <exception cref="QueueFullException">As many requests are queued as may be.</exception>
    /// <exception cref="InvalidOperationException">Another stream is continuing the session.</exception>
    /// <exception cref="TimeoutException">The deadline has passed.</exception>
    /// <exception cref="InvalidDataException">The logits are not finite, or every token is forbidden.</exception>
    /// <exception cref="OperationCanceledException">The enumeration was canceled.</exception>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public async IAsyncEnumerator<GeneratedToken> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        using CancellationTokenSource? both = cancellation.CanBeCanceled && cancellationToken.CanBeCanceled
            ? CancellationTokenSource.CreateLinkedTokenSource(cancellation, cancellationToken) : null;
        CancellationToken either = both?.Token ?? (cancellation.CanBeCanceled ? cancellation : cancellationToken);
        either.ThrowIfCancellationRequested();
        EngineTask task = latest = loop.Submit(request, either);
        try
        {
            bool isLast = false;
            while (!isLast)
            {
                either.ThrowIfCancellationRequested();
                loop.Demand(task, all: false);
                if (!await task.Tokens.WaitToReadAsync(either).ConfigureAwait(false) || !task.Tokens.TryRead(out GeneratedToken token))
                {
                    yield break;
                }

                isLast = token.Summary is not null;
                yield return token;
            }
        }
        finally
        {
            if (!task.IsReleased)
            {
                await loop.LeaveAsync(task).ConfigureAwait(false);
            }
        }
    }

    /// <summary>All tokens at once.</summary>
    internal async Task<GenerationResult> WholeAsync()
    {
        cancellation.ThrowIfCancellationRequested();
        EngineTask task = latest = loop.Submit(request, cancellation);
        try
        {
            loop.Demand(task, all: true);
            GenerationResultBuilder result = new();
            while (await task.Tokens.WaitToReadAsync(cancellation).ConfigureAwait(false))
            {
                while (task.Tokens.TryRead(out GeneratedToken token))
                {
                    result.Add(token);
                }
            }

            return result.Build();
        }
        finally
        {
            if (!task.IsReleased)
            {
                await loop.LeaveAsync(task).ConfigureAwait(false);
            }
        }
    }
}
