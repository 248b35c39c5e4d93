using Mamba.Managed.Models;

namespace Mamba.Managed.Execution;

/// <summary>A whole model ready to run on some device: the seam between generation and whatever computes.</summary>
/// <remarks>
/// An executor serves one call at a time. Logits are the same bits whether tokens arrive at once, in chunks or singly, alone or in a batch.
/// A call that throws <see cref="OperationCanceledException"/> leaves every state as it was before the call.
/// </remarks>
public interface IMambaExecutor : IDisposable
{
    /// <summary>The model's sizes; a row of logits has <see cref="MambaConfig.VocabSize"/> entries.</summary>
    MambaConfig Config { get; }

    /// <summary>The state before the first token.</summary>
    MambaState CreateState();

    /// <summary>Feeds tokens to one sequence.</summary>
    /// <param name="tokens">At least one token id.</param>
    /// <param name="state">The sequence so far; moved on by the tokens.</param>
    /// <param name="logits">[vocab_size]: of the last token only, or [tokens, vocab_size]: of each token.</param>
    /// <param name="cancellationToken">Looked at between chunks.</param>
    /// <exception cref="ArgumentException">No tokens, an id out of range, or logits of another length.</exception>
    void Prefill(ReadOnlySpan<int> tokens, MambaState state, Span<float> logits, CancellationToken cancellationToken = default);

    /// <summary>Feeds tokens to several sequences, to each as many as it has.</summary>
    /// <param name="tokens">The tokens of all sequences, one sequence after the other.</param>
    /// <param name="lengths">[sequences]: how many tokens belong to each, at least one.</param>
    /// <param name="states">[sequences]: all different; each moved on by its tokens.</param>
    /// <param name="logits">[sequences, vocab_size]: of each last token, or [tokens, vocab_size]: of each token.</param>
    /// <exception cref="ArgumentException">An id out of range, a state that appears twice, or lengths that do not agree.</exception>
    void Forward(ReadOnlySpan<int> tokens, ReadOnlySpan<int> lengths, ReadOnlySpan<MambaState> states, Span<float> logits);

    /// <summary>Feeds one token to each of several sequences.</summary>
    /// <param name="tokens">[sequences]</param>
    /// <param name="states">[sequences]: all different.</param>
    /// <param name="logits">[sequences, vocab_size]</param>
    /// <exception cref="ArgumentException">An id out of range, a state that appears twice, or lengths that do not agree.</exception>
    void Step(ReadOnlySpan<int> tokens, ReadOnlySpan<MambaState> states, Span<float> logits);
}
