using Mamba.Managed.Layers;
using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>Sequences of any lengths, one after the other, with the token that should follow at each place.</summary>
/// <remarks>
/// Every sequence begins from its own state, so that documents packed into one batch know nothing of each other:
/// <code>
/// tokens:   | a0 a1 a2 | b0 b1 | c0 c1 c2 c3 |      lengths: 3, 2, 4
/// targets:  | a1 a2 a3 | b1 -1 | c1 c2 c3 -1 |      -1: no loss here
/// </code>
/// </remarks>
/// <param name="Tokens">[rows]: the inputs.</param>
/// <param name="Targets">[rows]: what should follow each token; <see cref="NoTarget"/> where nothing is asked.</param>
/// <param name="Lengths">[sequences]: rows of each sequence, at least one; their sum is the number of rows.</param>
public sealed record TrainingBatch(ReadOnlyMemory<int> Tokens, ReadOnlyMemory<int> Targets, ReadOnlyMemory<int> Lengths)
{
    /// <summary>The target of a row without a loss.</summary>
    public const int NoTarget = -1;

    /// <summary>[sequences], or null where every sequence begins at zero: the state before each sequence, moved on to the state after it.</summary>
    public IReadOnlyList<CpuState>? States { get; init; }

    /// <summary>
    /// [sequences], or null: the gradient of each state after its sequence, replaced by the gradient of the state before it. What it holds is
    /// added to the loss's own, unscaled.
    /// </summary>
    public IReadOnlyList<CpuState>? StateGradients { get; init; }

    /// <summary>Rows that have a target.</summary>
    public int TargetCount => Targets.Span.Length - Targets.Span.Count(NoTarget);

    /// <summary>A batch in which every token is asked for but the first of each document.</summary>
    /// <param name="documents">Documents of at least two tokens each.</param>
    /// <exception cref="ArgumentException">There is no document, or one is too short.</exception>
    public static TrainingBatch OfDocuments(params IReadOnlyList<int[]> documents)
    {
        ArgumentNullException.ThrowIfNull(documents);
        if (documents.Count == 0)
        {
            Throw.Argument("expected at least one document, found none", nameof(documents));
        }

        for (int i = 0; i < documents.Count; i++)
        {
            if (documents[i].Length < 2)
            {
                Throw.Argument(Throw.Invariant($"expected at least 2 tokens in each document, found {documents[i].Length} in document {i}"), nameof(documents));
            }
        }

        return new(
            documents.SelectMany(document => document[..^1]).ToArray(),
            documents.SelectMany(document => document[1..]).ToArray(),
            documents.Select(document => document.Length - 1).ToArray());
    }

    internal void Check(MambaConfig config)
    {
        (int rows, long total) = (Tokens.Length, 0);
        foreach (int length in Lengths.Span)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length, nameof(Lengths));
            total += length;
        }

        if (rows == 0 || total != rows || Targets.Length != rows)
        {
            Throw.Argument(
                Throw.Invariant($"expected as many tokens as targets and as the lengths say, at least one; found {rows}, {Targets.Length} and {total}"),
                nameof(Tokens));
        }

        CheckIds(Tokens.Span, 0, config.VocabSize, nameof(Tokens));
        CheckIds(Targets.Span, NoTarget, config.VocabSize, nameof(Targets));
        CheckStates(States, config, nameof(States));
        CheckStates(StateGradients, config, nameof(StateGradients));
    }

    private static void CheckIds(ReadOnlySpan<int> ids, int least, int end, string name)
    {
        foreach (int id in ids)
        {
            if (id < least || id >= end)
            {
                Throw.Argument(Throw.Invariant($"expected ids from {least} to {end - 1}, found {id}"), name);
            }
        }
    }

    private void CheckStates(IReadOnlyList<CpuState>? states, MambaConfig config, string name)
    {
        if (states is null)
        {
            return;
        }

        Throw.UnlessLength(Lengths.Length, states.Count, name);
        for (int i = 0; i < states.Count; i++)
        {
            Layers.MixerState layer = states[i].Layers[0];
            if (states[i].Layers.Length != config.NLayer || (layer.Channels, layer.ConvLength, layer.States) != (config.DInner, config.DConv, config.DState))
            {
                Throw.Argument(Throw.Invariant($"expected a state of this model, found one of {states[i]} at {i}"), name);
            }

            for (int j = 0; j < i; j++)
            {
                if (ReferenceEquals(states[i], states[j]))
                {
                    Throw.Argument(Throw.Invariant($"expected a state of its own for each sequence, found the same at {j} and {i}"), name);
                }
            }
        }
    }
}
