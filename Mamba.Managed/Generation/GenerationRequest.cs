namespace Mamba.Managed.Generation;

/// <summary>What a caller asks of a <see cref="GenerationEngine"/>: a prompt to continue, how, and with what right.</summary>
/// <param name="Prompt">[tokens]: fed before the first token is chosen; may be empty where <see cref="Session"/> has a text.</param>
public sealed record GenerationRequest(ReadOnlyMemory<int> Prompt)
{
    /// <summary>How tokens are chosen and when generation ends. A seed counts for a new text; a session goes on with its own random numbers.</summary>
    public GenerationOptions Options { get; init; } = new();

    /// <summary>The text to append to and to continue, which holds the new tokens afterwards; null for a new text, forgotten at the end.</summary>
    public GenerationSession? Session { get; init; }

    /// <summary>Whom the request belongs to: tenants that have requests get the same share of the tokens.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>Requests of a higher priority come first, whosever they are.</summary>
    public int Priority { get; init; }

    /// <summary>How long the request may take from when it is queued; null for any time.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>What else decides which tokens may come; null for nothing. It belongs to this request.</summary>
    public ITokenConstraint? Constraint { get; init; }

    /// <summary>How many tokens may be generated before the caller asks for them; null for any number without a <see cref="Session"/>, for none with one.</summary>
    /// <remarks>A session whose stream ends early may hold as many tokens more than the stream gave; the next stream begins with their text.</remarks>
    public int? ReadAhead { get; init; }

    /// <summary>Collects hidden vectors instead of generating; null for a request that generates.</summary>
    internal EmbeddingSum? Embedding { get; init; }

    /// <summary>Checks every value for a vocabulary and returns this request.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it, the value and the range.</exception>
    internal GenerationRequest Validate(int modelVocabulary, int tokenizerVocabulary)
    {
        ArgumentNullException.ThrowIfNull(Options);
        ArgumentNullException.ThrowIfNull(Tenant);
        Options.Validate(tokenizerVocabulary);
        Layers.Embedding.RequireTokens(Prompt.Span, modelVocabulary);
        if (Prompt.IsEmpty && (Session is null || Session.Tokens.IsEmpty))
        {
            Throw.Argument("expected a prompt of at least one token, found an empty one for an empty text", nameof(Prompt));
        }

        if (Deadline <= TimeSpan.Zero)
        {
            Throw.Argument(Throw.Invariant($"{nameof(Deadline)}: expected a positive time, found {Deadline}"), nameof(Deadline));
        }

        if (ReadAhead < 0)
        {
            Throw.Argument(Throw.Invariant($"{nameof(ReadAhead)}: expected 0 or more, found {ReadAhead}"), nameof(ReadAhead));
        }

        return this;
    }
}
