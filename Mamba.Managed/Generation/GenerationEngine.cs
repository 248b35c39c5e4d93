using Mamba.Managed.Execution;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>Continues many texts at once: requests join and leave between tokens, and each gets the same bits as if it ran alone.</summary>
/// <remarks>
/// One thread of its own calls the executor. A pass takes one token of every text that is being generated, and fills up with chunks of the prompts that
/// wait, as many as <see cref="EngineOptions.MaxDelay"/> allows; nothing is padded. Callers wait asynchronously, so that no thread of the pool is
/// blocked. Tenants share the passes, see <see cref="GenerationRequest.Tenant"/>.
/// </remarks>
public sealed class GenerationEngine : IDisposable
{
    private readonly IMambaExecutor executor;
    private readonly EngineLoop loop;
    private bool isDisposed;

    /// <summary>Makes an engine of an executor and a tokenizer.</summary>
    /// <param name="executor">The model; it must outlive the engine, which does not dispose it.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="options">How requests share the executor; null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the tokenizer has more tokens than the model.</exception>
    public GenerationEngine(IMambaExecutor executor, Tokenizer tokenizer, EngineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(executor);
        ArgumentNullException.ThrowIfNull(tokenizer);
        MambaModel.RequireFitting(executor, tokenizer);
        (this.executor, Tokenizer) = (executor, tokenizer);
        loop = new(executor, tokenizer, (options ?? EngineOptions.For(executor)).Validate(executor));
    }

    /// <summary>The model's tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>What the engine has done and has to do.</summary>
    public EngineMetrics Metrics => loop.Metrics;

    /// <summary>The tokens of a request as they come.</summary>
    /// <param name="request">It is queued when the stream is enumerated.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    /// <exception cref="ArgumentException">An option or a token is out of range, or there is no text to begin from.</exception>
    public GenerationStream Stream(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(isDisposed, this);
        ArgumentNullException.ThrowIfNull(request);
        return new(loop, request.Validate(executor.Config.VocabSize, Tokenizer.VocabularySize), cancellationToken);
    }

    /// <summary>The whole result of a request.</summary>
    /// <param name="request">It is queued at once.</param>
    /// <param name="cancellationToken">Ends the request. A session then holds what had been generated.</param>
    /// <exception cref="ArgumentException">An option or a token is out of range, or there is no text to begin from.</exception>
    /// <exception cref="QueueFullException">As many requests are queued as may be.</exception>
    /// <exception cref="InvalidOperationException">Another stream is continuing the session.</exception>
    /// <exception cref="TimeoutException">The deadline has passed.</exception>
    /// <exception cref="OperationCanceledException">The call was canceled.</exception>
    public Task<GenerationResult> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken = default) =>
        Stream(request, cancellationToken).WholeAsync();

    /// <summary>The hidden vector of a text: what the model computes from it before the head, in passes shared with those that generate.</summary>
    /// <param name="request">The text is its prompt; it has no session, and what is said about generating does not count.</param>
    /// <param name="pooling">How the vectors of the text's tokens become one.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <returns>[d_model]</returns>
    /// <exception cref="ArgumentException">The text is empty, a token is out of range, or there is a session.</exception>
    /// <exception cref="NotSupportedException">The executor gives no hidden vectors.</exception>
    /// <exception cref="QueueFullException">As many requests are queued as may be.</exception>
    /// <exception cref="TimeoutException">The deadline has passed.</exception>
    /// <exception cref="OperationCanceledException">The call was canceled.</exception>
    public async Task<float[]> EmbedAsync(GenerationRequest request, Pooling pooling = Pooling.Last, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(isDisposed, this);
        ArgumentNullException.ThrowIfNull(request);
        if (request.Session is not null)
        {
            Throw.Argument("expected a text of its own, found a session; give the tokens of the whole text", nameof(request));
        }

        EmbeddingSum sum = new(pooling, request.Prompt.Length, executor.Config.DModel);
        cancellationToken.ThrowIfCancellationRequested();
        EngineTask task = loop.Submit(request.Validate(executor.Config.VocabSize, Tokenizer.VocabularySize) with { Embedding = sum }, cancellationToken);
        try
        {
            loop.Demand(task, all: true);
            await task.Tokens.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
            return sum.Result();
        }
        finally
        {
            if (!task.IsReleased)
            {
                await loop.LeaveAsync(task).ConfigureAwait(false);
            }
        }
    }

    /// <summary>A session of an empty text.</summary>
    /// <param name="seed">The same seed gives the same random numbers; null draws one.</param>
    public GenerationSession CreateSession(ulong? seed = null)
    {
        GenerationSession session = new(executor.CreateState(), seed: seed);
        session.MarkOwn();
        return session;
    }

    /// <summary>A copy of a session with the same text and random numbers; both continue independently.</summary>
    /// <param name="session">Not changed.</param>
    public GenerationSession Fork(GenerationSession session)
    {
        ArgumentNullException.ThrowIfNull(session);
        return With(session.Fork);
    }

    /// <summary>Writes a session, to be restored later, in another process or on another machine.</summary>
    /// <param name="session">Not changed.</param>
    /// <param name="stream">The destination.</param>
    /// <param name="type">How the state is stored: exactly, or as float16 in half the bytes, see <see cref="Models.SavedState.Save"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="type"/> is another one.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public void Save(GenerationSession session, Stream stream, ElementType type = ElementType.Float32)
    {
        ArgumentNullException.ThrowIfNull(session);
        session.Save(stream, executor.Fingerprint, type);
    }

    /// <summary>Restores a session that <see cref="Save"/> wrote; it continues with the same random numbers, to the same text.</summary>
    /// <param name="stream">The source, at the first byte of the saved session.</param>
    /// <exception cref="InvalidDataException">The bytes are no saved session, of another version or model, truncated or damaged.</exception>
    public GenerationSession Restore(Stream stream) => With(state => GenerationSession.Restore(stream, executor.Fingerprint, state));

    /// <summary>Takes no more requests; completes when those that there are have ended.</summary>
    /// <exception cref="OperationCanceledException">The call was canceled; requests go on.</exception>
    public Task DrainAsync(CancellationToken cancellationToken = default) => loop.DrainAsync(cancellationToken);

    /// <summary>Ends all requests, which throw <see cref="ObjectDisposedException"/>, and waits for the running pass.</summary>
    public void Dispose()
    {
        if (!isDisposed)
        {
            isDisposed = true;
            loop.Stop();
        }
    }

    private GenerationSession With(Func<Models.SequenceState, GenerationSession> make)
    {
        Models.SequenceState state = executor.CreateState();
        try
        {
            return make(state);
        }
        catch
        {
            state.Dispose();
            throw;
        }
    }
}
