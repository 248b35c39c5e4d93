using ILGPU;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>A pass in which every sequence has one token.</summary>
internal interface IStepPass : IDisposable
{
    /// <summary>The most sequences of one call.</summary>
    int MaxRows { get; }

    /// <summary>Moves states on by one token each. Asynchronous on the session's stream; the spans are copied before it returns.</summary>
    /// <param name="tokens">[sequences]: ids of the vocabulary.</param>
    /// <param name="slots">[sequences]: where each state lies in the pool; all different.</param>
    /// <param name="logits">
    /// [sequences, <see cref="ModelShape.LogitPitch"/>] in device memory, and more behind them; entries beyond vocab_size may hold anything. Empty where none are wanted: the head is not computed then.
    /// </param>
    void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<int> slots, ArrayView<float> logits);
}
