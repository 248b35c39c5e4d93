namespace Mamba.Managed.Generation;

/// <summary>Decides at each step which tokens may come next: a grammar, for example, or a filter of one's own.</summary>
/// <remarks>A constraint belongs to one request and is called by one thread at a time.</remarks>
public interface ITokenConstraint
{
    /// <summary>Whether the text is complete: nothing but an end token may follow, so that a run may end without asking the model.</summary>
    bool IsComplete => false;

    /// <summary>Forbids tokens by setting their logits to negative infinity; it may change the others as well.</summary>
    /// <param name="logits">[vocabulary]: of the next token, after penalties and bias.</param>
    void Apply(Span<float> logits);

    /// <summary>Takes note of the token that was chosen.</summary>
    void Accept(int token);

    /// <summary>An independent copy that goes on from here.</summary>
    ITokenConstraint Copy();
}
