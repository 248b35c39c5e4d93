using System.Globalization;
using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>Sequences of any lengths, one after the other, with the target of each token.</summary>
/// <remarks>
/// Every sequence begins from its own state, so that documents packed into one batch do not affect each other:
/// <code>
/// tokens:   | a0 a1 a2 | b0 b1 | c0 c1 c2 c3 |      lengths: 3, 2, 4
/// targets:  | a1 a2 a3 | b1 -1 | c1 c2 c3 -1 |      -1: no loss here
/// </code>
/// </remarks>
/// <param name="Tokens">[rows]: the inputs.</param>
/// <param name="Targets">[rows]: the token to predict after each input; <see cref="NoTarget"/> for none.</param>
/// <param name="Lengths">[sequences]: rows of each sequence, at least one; their sum is the number of rows.</param>
public sealed record TrainingBatch(ReadOnlyMemory<int> Tokens, ReadOnlyMemory<int> Targets, ReadOnlyMemory<int> Lengths)
{
    /// <summary>The target of a row without a loss.</summary>
    public const int NoTarget = -1;

    /// <summary>[sequences], or null if every sequence begins at zero: the state before each sequence, overwritten with the state after it.</summary>
    public IReadOnlyList<CpuState>? States { get; init; }

    /// <summary>
    /// [sequences], or null: the gradient with respect to each state after its sequence, overwritten with that for the state before it. The given
    /// gradient is added, unscaled, to that of the loss.
    /// </summary>
    public IReadOnlyList<CpuState>? StateGradients { get; init; }

    /// <summary>Rows that have a target.</summary>
    public int TargetCount => Targets.Span.Length - Targets.Span.Count(NoTarget);

    /// <summary>A copy that fits a model's sizes, for an engine: the caller's arrays can change no more between check and use.</summary>
    /// <param name="config">The sizes of the model.</param>
    /// <remarks>The states are the caller's own.</remarks>
    /// <exception cref="ArgumentException">Ids, lengths or states do not fit; the message says which.</exception>
    public TrainingBatch CheckedCopy(MambaConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        CheckedBatch copy = new(this, config);
        return new(copy.Tokens, copy.Targets, copy.Lengths) { States = copy.States, StateGradients = copy.StateGradients };
    }

    /// <summary>A batch in which every token of each document except the first is a target.</summary>
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
            if (documents[i] is not { Length: >= 2 })
            {
                Throw.Argument(Throw.Invariant($"expected at least 2 tokens in each document, found {documents[i]?.Length.ToString(CultureInfo.InvariantCulture) ?? "none"} in document {i}"), nameof(documents));
            }
        }

        return new(
            documents.SelectMany(document => document[..^1]).ToArray(),
            documents.SelectMany(document => document[1..]).ToArray(),
            documents.Select(document => document.Length - 1).ToArray());
    }
}
