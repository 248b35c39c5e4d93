using Mamba.Managed.Grammars;

namespace Mamba.Managed.Generation;

/// <summary>Holds the tokens of a run to a grammar: whatever the model, the text that ends is one of the grammar's.</summary>
/// <remarks>
/// A run that is cut off by its number of tokens has written the beginning of a text of the grammar. The constraint begins where the model begins to
/// write, after the prompt; end tokens are allowed exactly where the text may end. What is found out of the grammar's tokens is shared by all constraints
/// of one grammar and vocabulary, on any thread; a constraint itself belongs to one request.
/// </remarks>
public sealed class GrammarConstraint : ITokenConstraint
{
    private readonly GrammarMasks masks;
    private readonly int[] endTokenIds;
    private readonly float[] ends;
    private Configuration now;
    private bool hasEnded;

    /// <summary>A constraint before the first token.</summary>
    /// <param name="grammar">The texts that may be written.</param>
    /// <param name="vocabulary">Of the model's tokenizer.</param>
    /// <param name="endTokenIds">The tokens that end a text, as a rule the tokenizer's; with none a run ends when <see cref="IsComplete"/> holds.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is negative.</exception>
    public GrammarConstraint(Grammar grammar, GrammarVocabulary vocabulary, IReadOnlyList<int> endTokenIds)
    {
        ArgumentNullException.ThrowIfNull(grammar);
        ArgumentNullException.ThrowIfNull(vocabulary);
        ArgumentNullException.ThrowIfNull(endTokenIds);
        this.endTokenIds = [.. endTokenIds.Distinct()];
        ends = new float[this.endTokenIds.Length];
        foreach (int id in this.endTokenIds)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(id, nameof(endTokenIds));
        }

        masks = vocabulary.MasksOf(grammar);
        now = masks.Start();
    }

    private GrammarConstraint(GrammarConstraint other)
    {
        (masks, endTokenIds, now, hasEnded) = (other.masks, other.endTokenIds, other.now, other.hasEnded);
        ends = new float[endTokenIds.Length];
    }

    /// <summary>Whether the text is one of the grammar's as it is, though it may go on.</summary>
    public bool MayEnd => now.MayEnd;

    /// <inheritdoc/>
    public bool IsComplete => hasEnded || (now.MayEnd && now.Tops.Length == 0);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">There are fewer logits than tokens.</exception>
    /// <exception cref="InvalidDataException">The grammar is too ambiguous, or no token of the vocabulary goes on as it asks.</exception>
    /// <exception cref="InvalidOperationException">The text has ended.</exception>
    public void Apply(Span<float> logits)
    {
        int size = masks.Vocabulary.Size;
        if (logits.Length < size)
        {
            Throw.Argument(Throw.Invariant($"expected a logit for each of {size} tokens, found {logits.Length}; use the vocabulary of the model's tokenizer"), nameof(logits));
        }

        if (IsComplete && (hasEnded || endTokenIds.Length == 0))
        {
            throw new InvalidOperationException("expected a text that goes on, found one that is complete; stop when IsComplete holds");
        }

        for (int end = 0; end < ends.Length; end++)
        {
            ends[end] = now.MayEnd && endTokenIds[end] < logits.Length ? logits[endTokenIds[end]] : float.NegativeInfinity;
        }

        bool isAny = TokenMask.Apply(masks.MaskOf(now), logits[..size]);
        logits[size..].Fill(float.NegativeInfinity);
        for (int end = 0; end < ends.Length; end++)
        {
            if (endTokenIds[end] < logits.Length)
            {
                logits[endTokenIds[end]] = ends[end];
            }
        }

        Throw.Unless(isAny || now.MayEnd, $"expected a token that goes on as the grammar asks, found none; the vocabulary lacks the bytes that it needs");
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The token may not come here.</exception>
    /// <exception cref="InvalidDataException">The grammar is too ambiguous.</exception>
    public void Accept(int token)
    {
        if (!hasEnded && now.MayEnd && endTokenIds.Contains(token))
        {
            hasEnded = true;
            return;
        }

        bool isText = (uint)token < (uint)masks.Vocabulary.Size && !masks.Vocabulary.BytesOf(token).IsEmpty && !endTokenIds.Contains(token);
        Configuration? next = isText && !hasEnded ? masks.After(now, masks.Vocabulary.BytesOf(token)) : null;
        if (next is null || next.IsDead)
        {
            Throw.Argument(Throw.Invariant($"expected a token that the grammar allows here, found {token}"), nameof(token));
        }

        now = next;
    }

    /// <inheritdoc/>
    public ITokenConstraint Copy() => new GrammarConstraint(this);
}
