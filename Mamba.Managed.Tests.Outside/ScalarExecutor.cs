using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Outside;

/// <summary>An executor as another assembly makes one: it reads the weights, keeps states of its own, and computes one token after another.</summary>
internal sealed class ScalarExecutor(MambaLanguageModel model) : IMambaExecutor
{
    private readonly Lock gate = new();
    private readonly ScalarModel scalar = new(model);
    private readonly StateLayout layout = StateLayout.Of(model.Config);
    private bool disposed;

    public MambaConfig Config { get; } = model.Config;

    public ModelFingerprint Fingerprint { get; } = ModelFingerprint.Of(model);

    public int MaxRows => 100;

    public SequenceState CreateState()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        return new ScalarState(layout);
    }

    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            (int[] ids, SequenceInput[] inputs) = (tokens.ToArray(), batch.ToArray());
            Check(ids, inputs, logits.Length);
            float[][] moved = [.. inputs.Select(input => ((ScalarState)input.State).Copy())];
            for (int i = 0, at = 0; i < inputs.Length; at += inputs[i].Length, i++)
            {
                for (int k = 0; k < inputs[i].Length; k++)
                {
                    bool wanted = k >= inputs[i].Length - inputs[i].LogitCount;
                    scalar.Step(ids[at + k], moved[i], wanted ? logits[..Config.VocabSize] : []);
                    logits = wanted ? logits[Config.VocabSize..] : logits;
                }
            }

            for (int i = 0; i < inputs.Length; i++)
            {
                ((ScalarState)inputs[i].State).Replace(moved[i], inputs[i].Length);
            }
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            disposed = true;
        }
    }

    private void Check(int[] ids, SequenceInput[] inputs, int logits)
    {
        Require(ids.Length > 0 && ids.Length <= MaxRows, "the number of tokens");
        Require(ids.All(id => id >= 0 && id < Config.VocabSize), "a token id");
        Require(inputs.All(input => input.Length > 0) && inputs.Sum(input => (long)input.Length) == ids.Length, "the lengths");
        Require(inputs.All(input => input.State is ScalarState state && state.Layout.Equals(layout)), "a state");
        Require(inputs.Select(input => input.State).Distinct().Count() == inputs.Length, "a state appears twice, which");
        Require(inputs.All(input => input.State.Position <= long.MaxValue - input.Length), "a position");
        Require(inputs.Sum(input => (long)input.LogitCount) * Config.VocabSize == logits, "the length of logits");

        static void Require(bool condition, string what)
        {
            if (!condition)
            {
                throw new ArgumentException(what + " is not as expected");
            }
        }
    }
}
