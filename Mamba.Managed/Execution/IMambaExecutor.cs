using Mamba.Managed.Models;

namespace Mamba.Managed.Execution;

/// <summary>A whole model ready to run on some device: the seam between generation and whatever computes.</summary>
/// <remarks>
/// An executor runs one pass at a time; calls from several threads wait for one another, and <see cref="IDisposable.Dispose"/> waits for the
/// pass that runs. Logits and states are the same bits whether tokens arrive at once, in chunks or singly, alone or in a batch, whatever
/// logits are asked for. What is above a pass - prompts in chunks, cancellation, many sequences - is in <see cref="MambaExecutorExtensions"/>.
/// </remarks>
public interface IMambaExecutor : IDisposable
{
    /// <summary>The model's sizes; a row of logits has <see cref="MambaConfig.VocabSize"/> entries.</summary>
    MambaConfig Config { get; }

    /// <summary>Which model it is, so that saved states are given to no other.</summary>
    ModelFingerprint Fingerprint { get; }

    /// <summary>The most tokens of one pass, over all its sequences.</summary>
    int MaxRows { get; }

    /// <summary>The tokens of one long prompt that a pass takes best: at most <see cref="MaxRows"/>, fewer where more would only take memory.</summary>
    int PromptChunk => MaxRows;

    /// <summary>The state before the first token.</summary>
    /// <exception cref="ObjectDisposedException">The executor has been disposed.</exception>
    SequenceState CreateState();

    /// <summary>Feeds tokens to one or several sequences, in one pass.</summary>
    /// <param name="tokens">The tokens of all sequences, one sequence after the other; at least one, at most <see cref="MaxRows"/>.</param>
    /// <param name="batch">The sequences; each state appears once and is moved on by its tokens.</param>
    /// <param name="logits">[rows, vocab_size]: the rows asked for, in the order of the tokens.</param>
    /// <remarks>
    /// Arguments are copied before they are checked and used. A call that throws leaves every state as it was; only where the device itself
    /// fails midway are the states of the batch unusable, and say so, until they are cleared or given another state's contents.
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// An id out of range, lengths that do not agree, a state that appears twice, that another kind of executor made, or of another model's sizes.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The executor or a state has been disposed.</exception>
    void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits);
}
