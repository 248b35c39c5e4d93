using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>A checked copy of a batch: a copy, since another thread could change the caller's arrays between check and use.</summary>
internal sealed class CheckedBatch
{
    /// <summary>Copies a batch and checks the copy.</summary>
    /// <exception cref="ArgumentException">The batch does not fit the model.</exception>
    public CheckedBatch(TrainingBatch batch, MambaConfig config)
    {
        (Tokens, Targets, Lengths) = (batch.Tokens.ToArray(), batch.Targets.ToArray(), batch.Lengths.ToArray());
        (States, StateGradients) = (batch.States?.ToArray(), batch.StateGradients?.ToArray());
        TargetCount = Targets.Length - Targets.AsSpan().Count(TrainingBatch.NoTarget);
        Written = [.. States ?? [], .. StateGradients ?? []];
        CheckLengths();
        CheckIds(Tokens, 0, config.VocabSize, nameof(TrainingBatch.Tokens));
        CheckIds(Targets, TrainingBatch.NoTarget, config.VocabSize, nameof(TrainingBatch.Targets));
        CheckStates(States, config, nameof(TrainingBatch.States));
        CheckStates(StateGradients, config, nameof(TrainingBatch.StateGradients));
        CheckDistinct();
    }

    /// <summary>[rows]</summary>
    public int[] Tokens { get; }

    /// <summary>[rows]</summary>
    public int[] Targets { get; }

    /// <summary>[sequences]</summary>
    public int[] Lengths { get; }

    /// <summary>[sequences], or null if every sequence begins at zero.</summary>
    public CpuState[]? States { get; }

    /// <summary>[sequences], or null.</summary>
    public CpuState[]? StateGradients { get; }

    /// <summary>Rows that have a target.</summary>
    public int TargetCount { get; }

    /// <summary>States and state gradients: the parts of a batch that a pass writes.</summary>
    public CpuState[] Written { get; }

    /// <summary>Advances the positions of the states.</summary>
    public void MoveOn()
    {
        for (int i = 0; i < States?.Length; i++)
        {
            States[i].Advance(Lengths[i]);
        }
    }

    private static void CheckIds(int[] ids, int least, int end, string name)
    {
        foreach (int id in ids)
        {
            if (id < least || id >= end)
            {
                Throw.Argument(Throw.Invariant($"expected ids from {least} to {end - 1}, found {id}"), name);
            }
        }
    }

    private void CheckLengths()
    {
        long total = 0;
        foreach (int length in Lengths)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length, nameof(TrainingBatch.Lengths));
            total += length;
        }

        if (Tokens.Length == 0 || total != Tokens.Length || Targets.Length != Tokens.Length)
        {
            Throw.Argument(
                Throw.Invariant($"expected as many tokens as targets and as the lengths say, at least one; found {Tokens.Length}, {Targets.Length} and {total}"),
                nameof(TrainingBatch.Tokens));
        }
    }

    private void CheckStates(CpuState[]? states, MambaConfig config, string name)
    {
        if (states is null)
        {
            return;
        }

        Throw.UnlessLength(Lengths.Length, states.Length, name);
        for (int i = 0; i < states.Length; i++)
        {
            if (states[i] is not { } state)
            {
                throw new ArgumentException(Throw.Invariant($"expected a state for each sequence, found none at {i}"), name);
            }

            Layers.MixerState layer = state.Layers[0];
            if (state.Layers.Length != config.NLayer || (layer.Channels, layer.ConvLength, layer.States) != (config.DInner, config.DConv, config.DState))
            {
                Throw.Argument(Throw.Invariant($"expected a state of this model, found one of {state} at {i}"), name);
            }

            if (state.Position > long.MaxValue - Lengths[i])
            {
                Throw.Argument(Throw.Invariant($"expected a state with room for {Lengths[i]} more tokens, found one after {state.Position} at {i}"), name);
            }
        }
    }

    private void CheckDistinct()
    {
        HashSet<CpuState> seen = new(ReferenceEqualityComparer.Instance);
        foreach (CpuState state in Written)
        {
            if (!seen.Add(state))
            {
                Throw.Argument("expected a state of its own for each sequence and each gradient, found the same twice", nameof(TrainingBatch.States));
            }
        }
    }
}
