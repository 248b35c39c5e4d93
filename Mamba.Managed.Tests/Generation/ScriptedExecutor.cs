using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Generation;

/// <summary>An executor whose most likely tokens follow a script, or that fails on demand; states are those of the executor below.</summary>
internal sealed class ScriptedExecutor(IMambaExecutor below, int[] script) : IMambaExecutor
{
    public enum Fault
    {
        None,
        Fails,
        NotFinite,
    }

    public Fault Next { get; set; }

    public MambaConfig Config => below.Config;

    public ModelFingerprint Fingerprint => below.Fingerprint;

    public int MaxRows => below.MaxRows;

    public int PromptChunk { get; set; } = below.PromptChunk;

    public SequenceState CreateState() => below.CreateState();

    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits)
    {
        if (Next == Fault.Fails)
        {
            ((CpuState)batch[0].State).Tear();
            throw new InvalidOperationException("a device that fails");
        }

        below.Run(tokens, batch, logits);
        int at = (int)batch[0].State.Position - 1;
        if (at < script.Length)
        {
            logits[script[at]] = 1000;
        }

        if (Next == Fault.NotFinite)
        {
            logits[0] = float.NaN;
        }
    }

    public void Dispose()
    {
    }
}
