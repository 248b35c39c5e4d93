using System.Runtime.CompilerServices;
using System.Text;
using Mamba.Managed.Execution;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>Continues texts: a model, its tokenizer, and how tokens are chosen.</summary>
/// <remarks>
/// The model computes on the thread pool, so that a caller's thread stays free. Generators may be used by several threads at once, sessions by
/// one at a time; the executor serves one step after the other.
/// </remarks>
public sealed class TextGenerator
{
    private readonly IMambaExecutor executor;
    private readonly Tokenizer tokenizer;
    private readonly GenerationOptions options;

    /// <summary>Puts the parts together.</summary>
    /// <param name="executor">What computes; it must outlive the generator, which does not dispose it.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="options">How tokens are chosen; null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the tokenizer has more tokens than the model.</exception>
    public TextGenerator(IMambaExecutor executor, Tokenizer tokenizer, GenerationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(executor);
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (tokenizer.VocabularySize > executor.Config.VocabSize)
        {
            Throw.Argument(Throw.Invariant($"expected a tokenizer of at most the model's {executor.Config.VocabSize} tokens, found {tokenizer}"), nameof(tokenizer));
        }

        this.executor = executor;
        this.tokenizer = tokenizer;
        this.options = (options ?? new GenerationOptions()).Validate(tokenizer.VocabularySize);
    }

    /// <summary>An empty text with this generator's options, to be continued again and again.</summary>
    public GenerationSession CreateSession() => new(executor, options, tokenizer.VocabularySize);

    /// <summary>Continues a prompt token by token.</summary>
    /// <param name="prompt">The text to continue; empty to begin from the tokenizer's end token.</param>
    /// <param name="cancellationToken">Looked at before each token and between the chunks of a long prompt.</param>
    /// <returns>At least one token; the last has a summary.</returns>
    /// <exception cref="ArgumentException">The prompt is empty and the tokenizer has no token to begin from.</exception>
    /// <exception cref="OperationCanceledException">The enumeration was canceled.</exception>
    public IAsyncEnumerable<GeneratedToken> StreamAsync(string prompt, CancellationToken cancellationToken = default) =>
        StreamAsync(CreateSession(), prompt, cancellationToken);

    /// <summary>Appends a prompt to a session and continues it token by token, with the session's options.</summary>
    /// <param name="session">The text so far; after a cancellation it holds every token that was given out, and can be continued.</param>
    /// <param name="prompt">What to append; may be empty where the session has a text.</param>
    /// <param name="cancellationToken">Looked at before each token and between the chunks of a long prompt.</param>
    /// <returns>At least one token; the last has a summary.</returns>
    /// <exception cref="ArgumentException">Prompt and session are empty and the tokenizer has no token to begin from.</exception>
    /// <exception cref="OperationCanceledException">The enumeration was canceled.</exception>
    public IAsyncEnumerable<GeneratedToken> StreamAsync(GenerationSession session, string prompt, CancellationToken cancellationToken = default) =>
        Stream(Start(session, prompt), cancellationToken);

    /// <summary>Continues a prompt and gives the whole.</summary>
    /// <param name="prompt">The text to continue; empty to begin from the tokenizer's end token.</param>
    /// <param name="cancellationToken">Ends the generation early: the result then holds what there is, and says so.</param>
    /// <exception cref="ArgumentException">The prompt is empty and the tokenizer has no token to begin from.</exception>
    public Task<GenerationResult> GenerateAsync(string prompt, CancellationToken cancellationToken = default) =>
        GenerateAsync(CreateSession(), prompt, cancellationToken);

    /// <summary>Appends a prompt to a session, continues it with the session's options, and gives the whole.</summary>
    /// <param name="session">The text so far; it can be continued afterwards, also where the generation was canceled.</param>
    /// <param name="prompt">What to append; may be empty where the session has a text.</param>
    /// <param name="cancellationToken">Ends the generation early: the result then holds what there is, and says so.</param>
    /// <exception cref="ArgumentException">Prompt and session are empty and the tokenizer has no token to begin from.</exception>
    public Task<GenerationResult> GenerateAsync(GenerationSession session, string prompt, CancellationToken cancellationToken = default)
    {
        GenerationRun run = Start(session, prompt);
        return Task.Run(() => Generate(run, cancellationToken), CancellationToken.None);
    }

    private static async IAsyncEnumerable<GeneratedToken> Stream(GenerationRun run, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        run.Begin(cancellationToken);
        for (GeneratedToken token = default; token.Summary is null;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            token = run.Next();
            yield return token;
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }
    }

    private static GenerationResult Generate(GenerationRun run, CancellationToken cancellationToken)
    {
        StringBuilder text = new();
        List<int> tokens = [];
        try
        {
            run.Begin(cancellationToken);
            while (!cancellationToken.IsCancellationRequested)
            {
                GeneratedToken token = run.Next();
                text.Append(token.Text);
                tokens.Add(token.Id);
                if (token.Summary is not null)
                {
                    return new(text.ToString(), tokens, token.Summary);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The prompt was not read to its end; the session is as it was.
        }

        text.Append(run.Rest());
        return new(text.ToString(), tokens, run.Summary(FinishReason.Canceled));
    }

    private GenerationRun Start(GenerationSession session, string prompt)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(prompt);
        int[] tokens = tokenizer.Encode(prompt);
        if (tokens.Length == 0 && session.Tokens.IsEmpty)
        {
            tokens = [tokenizer.EndTokenId ?? Throw.Argument<int>("expected some text, found an empty prompt; this tokenizer has no token to begin a text with", nameof(prompt))];
        }

        return new GenerationRun(session, tokenizer, tokens);
    }
}
