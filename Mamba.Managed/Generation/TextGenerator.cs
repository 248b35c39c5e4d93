using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>Continues texts: drives sessions with an executor and a tokenizer.</summary>
/// <remarks>
/// The model computes on the thread pool, so that a caller's thread stays free. A generator may be used by several threads at once, a session by
/// one at a time; the executor runs one pass after the other.
/// </remarks>
public sealed class TextGenerator : IDisposable
{
    private readonly IMambaExecutor executor;
    private readonly bool ownsExecutor;
    private readonly GenerationOptions options;
    private readonly ConcurrentBag<GenerationScratch> scratches = [];

    /// <summary>Makes a generator of an executor and a tokenizer.</summary>
    /// <param name="executor">The model; it must outlive the generator, which does not dispose it.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="options">How tokens are chosen; null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the tokenizer has more tokens than the model.</exception>
    public TextGenerator(IMambaExecutor executor, Tokenizer tokenizer, GenerationOptions? options = null)
        : this(executor, tokenizer, options, ownsExecutor: false)
    {
    }

    private TextGenerator(IMambaExecutor executor, Tokenizer tokenizer, GenerationOptions? options, bool ownsExecutor)
    {
        ArgumentNullException.ThrowIfNull(executor);
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (tokenizer.VocabularySize > executor.Config.VocabSize)
        {
            Throw.Argument(Throw.Invariant($"expected a tokenizer of at most the model's {executor.Config.VocabSize} tokens, found {tokenizer}"), nameof(tokenizer));
        }

        (this.executor, Tokenizer, this.ownsExecutor) = (executor, tokenizer, ownsExecutor);
        this.options = (options ?? new GenerationOptions()).Validate(tokenizer.VocabularySize);
    }

    /// <summary>The model's tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Loads a model and its tokenizer to run on this machine's cores; the generator then owns them.</summary>
    /// <param name="path">A model folder or a GGUF file.</param>
    /// <param name="options">How tokens are chosen; null for the defaults.</param>
    /// <param name="threads">Threads that compute, the caller included; 0 for one per processor.</param>
    /// <exception cref="FileNotFoundException">The path does not exist, or a file is missing in the folder.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or its parts do not fit each other.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static TextGenerator Load(string path, GenerationOptions? options = null, int threads = 0)
    {
        using ModelSource source = ModelSource.Open(path);

        // The tokenizer is loaded while the weights are packed, which saves a quarter of the time to the first token.
        Task<Tokenizer> tokenizer = Task.Run(() => source.Tokenizer);
        CpuExecutor executor = CpuExecutor.TakeOver(source.Model, threads);
        try
        {
            return new TextGenerator(executor, tokenizer.GetAwaiter().GetResult(), options, ownsExecutor: true);
        }
        catch
        {
            executor.Dispose();
            throw;
        }
    }

    /// <summary>A session of an empty text with this generator's options; it can be continued any number of times.</summary>
    public GenerationSession CreateSession() => new(executor.CreateState(), options, Tokenizer.VocabularySize);

    /// <summary>A copy of a session with the same text, random numbers and counts; both continue independently.</summary>
    /// <param name="session">Not changed.</param>
    public GenerationSession Fork(GenerationSession session)
    {
        ArgumentNullException.ThrowIfNull(session);
        return With(executor.CreateState(), session.Fork);
    }

    /// <summary>Writes a session, to be restored later, in another process or on another machine.</summary>
    /// <param name="session">Not changed.</param>
    /// <param name="stream">The destination.</param>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public void Save(GenerationSession session, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(session);
        session.Save(stream, executor.Fingerprint);
    }

    /// <summary>Restores a session that <see cref="Save"/> wrote; it continues with the same random numbers, to the same text.</summary>
    /// <param name="stream">The source, at the first byte of the saved session.</param>
    /// <exception cref="InvalidDataException">The bytes are no saved session, of another version or model, truncated or damaged.</exception>
    public GenerationSession Restore(Stream stream) =>
        With(executor.CreateState(), state => GenerationSession.Restore(stream, executor.Fingerprint, state, options, Tokenizer.VocabularySize));

    /// <summary>Continues a prompt token by token; each enumeration starts again from the prompt.</summary>
    /// <param name="prompt">The text to continue; empty to begin from the tokenizer's end token.</param>
    /// <param name="cancellationToken">Checked before each token and between the chunks of a long prompt.</param>
    /// <returns>At least one token; the last has a summary.</returns>
    /// <exception cref="ArgumentException">The prompt is empty and the tokenizer has no token to begin from.</exception>
    /// <exception cref="OperationCanceledException">The enumeration was canceled.</exception>
    public IAsyncEnumerable<GeneratedToken> StreamAsync(string prompt, CancellationToken cancellationToken = default)
    {
        int[] tokens = Encode(prompt, isFirst: true);
        return Stream(null, tokens, cancellationToken);
    }

    /// <summary>Appends a prompt to a session and continues it token by token, with the session's options; each enumeration appends it again.</summary>
    /// <param name="session">
    /// The text so far. After a cancellation, or if the caller stops early, it holds every token that was returned, and can be continued.
    /// </param>
    /// <param name="prompt">What to append; may be empty where the session has a text.</param>
    /// <param name="cancellationToken">Checked before each token and between the chunks of a long prompt.</param>
    /// <returns>At least one token; the last has a summary.</returns>
    /// <exception cref="ArgumentException">Prompt and session are empty and the tokenizer has no token to begin from.</exception>
    /// <exception cref="InvalidOperationException">Another stream is continuing the session.</exception>
    /// <exception cref="OperationCanceledException">The enumeration was canceled.</exception>
    public IAsyncEnumerable<GeneratedToken> StreamAsync(GenerationSession session, string prompt, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(session);
        int[] tokens = Encode(prompt, session.Tokens.IsEmpty);
        return Stream(session, tokens, cancellationToken);
    }

    /// <summary>Continues a prompt and returns the whole result.</summary>
    /// <param name="prompt">The text to continue; empty to begin from the tokenizer's end token.</param>
    /// <param name="cancellationToken">Checked before each token and between the chunks of a long prompt.</param>
    /// <exception cref="ArgumentException">The prompt is empty and the tokenizer has no token to begin from.</exception>
    /// <exception cref="OperationCanceledException">The call was canceled.</exception>
    public Task<GenerationResult> GenerateAsync(string prompt, CancellationToken cancellationToken = default) =>
        WholeAsync(StreamAsync(prompt, cancellationToken));

    /// <summary>Appends a prompt to a session, continues it with the session's options, and returns the whole result.</summary>
    /// <param name="session">The text so far; it can be continued afterwards. If the call is canceled, it holds the tokens generated before.</param>
    /// <param name="prompt">What to append; may be empty where the session has a text.</param>
    /// <param name="cancellationToken">Checked before each token and between the chunks of a long prompt.</param>
    /// <exception cref="ArgumentException">Prompt and session are empty and the tokenizer has no token to begin from.</exception>
    /// <exception cref="InvalidOperationException">Another stream is continuing the session.</exception>
    /// <exception cref="OperationCanceledException">The call was canceled.</exception>
    public Task<GenerationResult> GenerateAsync(GenerationSession session, string prompt, CancellationToken cancellationToken = default) =>
        WholeAsync(StreamAsync(session, prompt, cancellationToken));

    /// <inheritdoc/>
    public void Dispose()
    {
        if (ownsExecutor)
        {
            executor.Dispose();
        }
    }

    private static async Task<GenerationResult> WholeAsync(IAsyncEnumerable<GeneratedToken> stream)
    {
        StringBuilder text = new();
        List<int> tokens = [];
        GenerationSummary? summary = null;
        await foreach (GeneratedToken token in stream.ConfigureAwait(false))
        {
            text.Append(token.Text);
            tokens.Add(token.Id);
            summary = token.Summary;
        }

        return new(text.ToString(), tokens, summary!);
    }

    private static GenerationSession With(SequenceState state, Func<SequenceState, GenerationSession> make)
    {
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

    private async IAsyncEnumerable<GeneratedToken> Stream(GenerationSession? given, int[] prompt, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        GenerationSession session = given ?? CreateSession();
        session.Enter();
        try
        {
            using GenerationTurn turn = new(session, Tokenizer, prompt);
            for (GeneratedToken token = default; token.Summary is null;)
            {
                token = Next(turn, cancellationToken);
                yield return token;
                await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            }
        }
        finally
        {
            session.Leave();
            if (given is null)
            {
                session.Dispose();
            }
        }
    }

    private GeneratedToken Next(GenerationTurn turn, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        GenerationScratch scratch = scratches.TryTake(out GenerationScratch? free) ? free : new(executor.Config.VocabSize);
        try
        {
            return turn.Next(executor, scratch, cancellationToken);
        }
        finally
        {
            scratches.Add(scratch);
        }
    }

    private int[] Encode(string prompt, bool isFirst)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        int[] tokens = Tokenizer.Encode(prompt, addSpecialTokens: isFirst);
        return tokens.Length > 0 || !isFirst
            ? tokens
            : [Tokenizer.EndTokenId ?? Throw.Argument<int>("expected some text, found an empty prompt; this tokenizer has no token to begin a text with", nameof(prompt))];
    }
}
