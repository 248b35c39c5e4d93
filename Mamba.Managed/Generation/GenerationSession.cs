using System.Runtime.InteropServices;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Generation;

/// <summary>One text in the making: the model's state, the sampler, and the tokens so far.</summary>
/// <remarks>
/// A generated token is fed to the model only when something follows it, so that the last token of a reply costs no step:
/// <c>State</c> has seen all of <c>Tokens</c>, or all but the last. Time and memory per token are constant, four bytes of history aside.
/// A session serves one thread at a time.
/// </remarks>
public sealed class GenerationSession
{
    private readonly IMambaExecutor executor;
    private readonly Sampler sampler;
    private readonly float[] logits;
    private readonly List<int> tokens;
    private readonly int vocabularySize;
    private int fed;
    private bool hasLogits;

    /// <summary>An empty text.</summary>
    /// <param name="executor">What computes; it must outlive the session.</param>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="vocabularySize">Ids from this on are never chosen, as the padding of a vocabulary; 0 for the model's own size.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the vocabulary is larger than the model's.</exception>
    public GenerationSession(IMambaExecutor executor, GenerationOptions options, int vocabularySize = 0)
        : this(executor, options, (executor ?? throw new ArgumentNullException(nameof(executor))).CreateState(), [], vocabularySize)
    {
    }

    /// <summary>Goes on with a text from a state, as one restored from a file.</summary>
    /// <param name="executor">What computes; it must outlive the session.</param>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="state">Has seen all of <paramref name="tokens"/>, or all but the last. The session takes it over.</param>
    /// <param name="tokens">The text so far.</param>
    /// <param name="vocabularySize">Ids from this on are never chosen; 0 for the model's own size.</param>
    /// <exception cref="ArgumentException">An option or a token is out of range, the vocabulary is larger than the model's, or the state has seen another number of tokens.</exception>
    public GenerationSession(IMambaExecutor executor, GenerationOptions options, SequenceState state, ReadOnlySpan<int> tokens, int vocabularySize = 0)
    {
        ArgumentNullException.ThrowIfNull(executor);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(state);
        int all = executor.Config.VocabSize;
        if (vocabularySize < 0 || vocabularySize > all)
        {
            Throw.Argument(Throw.Invariant($"expected a vocabulary of at most the model's {all}, found {vocabularySize}"), nameof(vocabularySize));
        }

        if (state.Position > tokens.Length || state.Position < tokens.Length - 1)
        {
            Throw.Argument(Throw.Invariant($"expected a state that has seen {tokens.Length} tokens, or all but the last; found one that has seen {state.Position}"), nameof(state));
        }

        this.executor = executor;
        this.vocabularySize = vocabularySize == 0 ? all : vocabularySize;
        Options = options;
        State = state;
        sampler = new Sampler(options, this.vocabularySize);
        logits = new float[all];
        this.tokens = [.. tokens];
        fed = (int)state.Position;
        Observe(tokens);
    }

    /// <summary>How tokens are chosen.</summary>
    public GenerationOptions Options { get; }

    /// <summary>The seed in use: that of the options, or one drawn.</summary>
    public ulong Seed => sampler.Seed;

    /// <summary>The text so far: what was appended and what was generated.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(tokens);

    /// <summary>What the model remembers. Call <see cref="Settle"/> first to have it cover every token.</summary>
    public SequenceState State { get; }

    /// <summary>The logits from which the last token was chosen, or the next one will be: [vocabulary].</summary>
    public ReadOnlySpan<float> Logits => logits.AsSpan(0, vocabularySize);

    /// <summary>Feeds tokens to the model.</summary>
    /// <param name="prompt">[tokens]; none changes nothing.</param>
    /// <param name="cancellationToken">Cancels; the session is then as it was before.</param>
    /// <exception cref="ArgumentException">An id is out of range.</exception>
    /// <exception cref="OperationCanceledException">The call was canceled.</exception>
    public void Append(ReadOnlySpan<int> prompt, CancellationToken cancellationToken = default)
    {
        if (prompt.IsEmpty)
        {
            return;
        }

        int before = tokens.Count;
        tokens.AddRange(prompt);
        try
        {
            Feed(cancellationToken);
        }
        catch
        {
            CollectionsMarshal.SetCount(tokens, before);
            throw;
        }

        Observe(prompt);
    }

    /// <summary>Chooses the next token; allocates nothing but, now and then, room for the history.</summary>
    /// <returns>The token, already part of <see cref="Tokens"/>.</returns>
    /// <exception cref="InvalidOperationException">Nothing was appended yet, or nothing since the session took over a state that has seen every token.</exception>
    /// <exception cref="InvalidDataException">The model gives logits that are not finite, or every token is forbidden.</exception>
    public int Next()
    {
        Settle();
        if (!hasLogits)
        {
            throw new InvalidOperationException("expected tokens to continue from, found none; append some first");
        }

        int token = sampler.Sample(Logits);
        tokens.Add(token);
        return token;
    }

    /// <summary>Feeds the last generated token, so that <see cref="State"/> has seen all of <see cref="Tokens"/>.</summary>
    public void Settle()
    {
        if (fed < tokens.Count)
        {
            Feed(CancellationToken.None);
        }
    }

    private void Feed(CancellationToken cancellationToken)
    {
        executor.Prefill(CollectionsMarshal.AsSpan(tokens)[fed..], State, logits, cancellationToken);
        fed = tokens.Count;
        hasLogits = true;
    }

    // A prompt may hold ids that are never chosen; those need no count.
    private void Observe(ReadOnlySpan<int> prompt)
    {
        foreach (int token in prompt)
        {
            if (token < vocabularySize)
            {
                sampler.Observe([token]);
            }
        }
    }
}
