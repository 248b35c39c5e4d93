using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>Continues texts with the same options each time: a <see cref="GenerationEngine"/> for few texts at once, from text to text.</summary>
/// <remarks>
/// The model computes on a thread of the generator's own. A generator may be used by several threads at once, which share its passes; a session by one
/// at a time.
/// </remarks>
public sealed class TextGenerator : IDisposable
{
    private readonly IMambaExecutor executor;
    private readonly bool ownsExecutor;
    private readonly GenerationOptions options;
    private readonly GenerationEngine engine;

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
        engine = new GenerationEngine(executor, tokenizer, EngineOptions.For(executor) with { MaxRunning = int.MaxValue });
        try
        {
            this.options = (options ?? new GenerationOptions()).Validate(tokenizer.VocabularySize);
        }
        catch
        {
            engine.Dispose();
            throw;
        }

        (this.executor, this.ownsExecutor) = (executor, ownsExecutor);
    }

    /// <summary>The model's tokenizer.</summary>
    public Tokenizer Tokenizer => engine.Tokenizer;

    /// <summary>Whether <c>&lt;|endoftext|&gt;</c> in a prompt is that control token, for prompts that a template made; it is text unless set, as for what a user wrote.</summary>
    public bool ControlTokens { get; set; }

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
        return MambaModel.Load(source, threads, (executor, tokenizer) => new TextGenerator(executor, tokenizer, options, ownsExecutor: true));
    }

    /// <summary>A session of an empty text; it can be continued any number of times.</summary>
    public GenerationSession CreateSession() => engine.CreateSession(options.Seed);

    /// <inheritdoc cref="GenerationEngine.Fork"/>
    public GenerationSession Fork(GenerationSession session) => engine.Fork(session);

    /// <inheritdoc cref="GenerationEngine.Save"/>
    public void Save(GenerationSession session, Stream stream, ElementType type = ElementType.Float32) => engine.Save(session, stream, type);

    /// <inheritdoc cref="GenerationEngine.Restore"/>
    public GenerationSession Restore(Stream stream) => engine.Restore(stream);

    /// <summary>Continues a prompt token by token; each enumeration starts again from the prompt.</summary>
    /// <param name="prompt">The text to continue; empty to begin from the tokenizer's end token.</param>
    /// <param name="cancellationToken">Checked before each token and between the chunks of a long prompt.</param>
    /// <returns>At least one token; the last has a summary.</returns>
    /// <exception cref="ArgumentException">The prompt is empty and the tokenizer has no token to begin from.</exception>
    /// <exception cref="OperationCanceledException">The enumeration was canceled.</exception>
    public GenerationStream StreamAsync(string prompt, CancellationToken cancellationToken = default) =>
        engine.Stream(Request(null, prompt), cancellationToken);

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
    public GenerationStream StreamAsync(GenerationSession session, string prompt, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(session);
        return engine.Stream(Request(session, prompt), cancellationToken);
    }

    /// <summary>Continues a prompt and returns the whole result.</summary>
    /// <param name="prompt">The text to continue; empty to begin from the tokenizer's end token.</param>
    /// <param name="cancellationToken">Checked before each token and between the chunks of a long prompt.</param>
    /// <exception cref="ArgumentException">The prompt is empty and the tokenizer has no token to begin from.</exception>
    /// <exception cref="OperationCanceledException">The call was canceled.</exception>
    public Task<GenerationResult> GenerateAsync(string prompt, CancellationToken cancellationToken = default) =>
        engine.GenerateAsync(Request(null, prompt), cancellationToken);

    /// <summary>Appends a prompt to a session, continues it with the session's options, and returns the whole result.</summary>
    /// <param name="session">The text so far; it can be continued afterwards. If the call is canceled, it holds the tokens generated before.</param>
    /// <param name="prompt">What to append; may be empty where the session has a text.</param>
    /// <param name="cancellationToken">Checked before each token and between the chunks of a long prompt.</param>
    /// <exception cref="ArgumentException">Prompt and session are empty and the tokenizer has no token to begin from.</exception>
    /// <exception cref="InvalidOperationException">Another stream is continuing the session.</exception>
    /// <exception cref="OperationCanceledException">The call was canceled.</exception>
    public Task<GenerationResult> GenerateAsync(GenerationSession session, string prompt, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(session);
        return engine.GenerateAsync(Request(session, prompt), cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        engine.Dispose();
        if (ownsExecutor)
        {
            executor.Dispose();
        }
    }

    private GenerationRequest Request(GenerationSession? session, string prompt) =>
        new(Encode(prompt, session is null || session.Tokens.IsEmpty)) { Options = options, Session = session };

    private int[] Encode(string prompt, bool isFirst)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        int[] tokens = Tokenizer.Encode(prompt, addSpecialTokens: isFirst, controlTokens: ControlTokens);
        return tokens.Length > 0 || !isFirst
            ? tokens
            : [Tokenizer.EndTokenId ?? Throw.Argument<int>("expected some text, found an empty prompt; this tokenizer has no token to begin a text with", nameof(prompt))];
    }
}
