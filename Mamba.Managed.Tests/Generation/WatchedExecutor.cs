using System.Collections.Concurrent;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Generation;

/// <summary>An executor that notes its passes, and takes as long for each as it is told.</summary>
internal sealed class WatchedExecutor(IMambaExecutor below) : IMambaExecutor
{
    /// <summary>The lengths of the sequences of each pass.</summary>
    public ConcurrentQueue<int[]> Passes { get; } = [];

    /// <summary>Called at the beginning of each pass, with its tokens.</summary>
    public Action<int[]> Before { get; set; } = _ => { };

    public MambaConfig Config => below.Config;

    public ModelFingerprint Fingerprint => below.Fingerprint;

    public int MaxRows => below.MaxRows;

    public int PromptChunk => below.PromptChunk;

    public SequenceState CreateState() => below.CreateState();

    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits)
    {
        Before(tokens.ToArray());
        int[] lengths = new int[batch.Length];
        for (int i = 0; i < lengths.Length; i++)
        {
            lengths[i] = batch[i].Length;
        }

        Passes.Enqueue(lengths);
        below.Run(tokens, batch, logits);
    }

    public void Dispose()
    {
    }
}
