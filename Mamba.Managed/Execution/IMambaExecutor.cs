using Mamba.Managed.Models;

namespace Mamba.Managed.Execution;

/// <summary>A whole model ready to run on some device: the interface between generation and the backend that computes.</summary>
/// <remarks>
/// An executor runs one pass at a time; calls from several threads wait for one another, and <see cref="IDisposable.Dispose"/> waits for the
/// running pass. The same pass gives the same bits in every run. On the processor, logits and states are also the same bits whether tokens arrive
/// at once, in chunks or one by one, alone or in a batch, and whichever logits are requested; an executor of another device says how far they lie
/// apart. Operations of several passes - prompts in chunks, cancellation, large batches - are in <see cref="MambaExecutorExtensions"/>.
/// </remarks>
public interface IMambaExecutor : IDisposable
{
    /// <summary>The model's sizes; a row of logits has <see cref="MambaConfig.VocabSize"/> entries.</summary>
    MambaConfig Config { get; }

    /// <summary>Identifies the model: a saved state is restored only with the fingerprint that it was saved with.</summary>
    ModelFingerprint Fingerprint { get; }

    /// <summary>The most tokens of one pass, over all its sequences.</summary>
    int MaxRows { get; }

    /// <summary>The best chunk length for a long prompt, in tokens: at most <see cref="MaxRows"/>, less where longer chunks would cost memory and gain little.</summary>
    int PromptChunk => MaxRows;

    /// <summary>Bytes that one decode step of one sequence reads: weights and state; 0 where unknown. Memory bandwidth over this bounds the speed of decode.</summary>
    long StepBytes => 0;

    /// <summary>The state before the first token.</summary>
    /// <exception cref="ObjectDisposedException">The executor has been disposed.</exception>
    SequenceState CreateState();

    /// <summary>Feeds tokens to one or several sequences, in one pass.</summary>
    /// <param name="tokens">The tokens of all sequences, one sequence after the other; at least one, at most <see cref="MaxRows"/>.</param>
    /// <param name="batch">The sequences; each state appears once and is advanced by its tokens.</param>
    /// <param name="logits">[rows, vocab_size]: the requested rows, in the order of the tokens.</param>
    /// <remarks>
    /// Arguments are copied before they are checked and used. A call that throws leaves every state as it was, with one exception: if the device
    /// fails during the pass, the states of the batch are unusable. Using one then throws, until it is cleared or overwritten with another state.
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// An id out of range, lengths that do not agree, a state that appears twice, that another kind of executor made, or of another model's sizes.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The executor or a state has been disposed.</exception>
    void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits);

    /// <summary>As <see cref="Run(ReadOnlySpan{int}, ReadOnlySpan{SequenceInput}, Span{float})"/>, with hidden vectors of the same rows beside the logits, or instead of them.</summary>
    /// <param name="tokens">The tokens of all sequences, one sequence after the other.</param>
    /// <param name="batch">The sequences; each state appears once and is advanced by its tokens.</param>
    /// <param name="logits">[rows, vocab_size], or empty: none are computed then.</param>
    /// <param name="hidden">[rows, d_model]: the output of the last norm, from which the head computes the logits; or empty.</param>
    /// <exception cref="NotSupportedException">This executor gives no hidden vectors.</exception>
    void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits, Span<float> hidden)
    {
        if (!hidden.IsEmpty)
        {
            throw new NotSupportedException($"expected an executor that gives hidden vectors, found {GetType().Name}, which does not; use another device");
        }

        Run(tokens, batch, logits);
    }
}
