using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Execution;

/// <summary>The arguments of one pass: copied before they are checked, since another thread may write to the caller's memory meanwhile.</summary>
/// <param name="config">The model's sizes.</param>
/// <param name="layout">The layout of the model's states.</param>
/// <param name="most">The most tokens of a pass.</param>
internal sealed class PassBatch(MambaConfig config, StateLayout layout, int most)
{
    private readonly int[] tokens = new int[most];
    private readonly SequenceInput[] inputs = new SequenceInput[most];
    private readonly CpuState[] states = new CpuState[most];
    private readonly TensorBuffer.Lease[] leases = new TensorBuffer.Lease[most];
    private readonly Sequence[] sequences = new Sequence[most];
    private readonly Sequence[] stateOnly = new Sequence[most];
    private readonly Sequence[] lastRows = new Sequence[most];
    private readonly int[] logitRows = new int[most];
    private readonly HashSet<SequenceState> distinct = new(most, ReferenceEqualityComparer.Instance);
    private int leased;
    private int lastCount;

    /// <summary>Tokens of all sequences.</summary>
    public int Rows { get; private set; }

    /// <summary>How many sequences.</summary>
    public int Count { get; private set; }

    /// <summary>[rows]</summary>
    public ReadOnlySpan<int> Tokens => tokens.AsSpan(0, Rows);

    /// <summary>[sequences]</summary>
    public ReadOnlySpan<Sequence> Sequences => sequences.AsSpan(0, Count);

    /// <summary>The rows whose logits are wanted, in order.</summary>
    public ReadOnlySpan<int> LogitRows => logitRows.AsSpan(0, LogitCount);

    /// <summary>The number of <see cref="LogitRows"/>.</summary>
    public int LogitCount { get; private set; }

    /// <summary>Whether logits are wanted only after last tokens of sequences, or not at all: the last layer then skips the outputs of other rows.</summary>
    public bool IsLastOnly { get; private set; }

    /// <summary>[sequences]: the rows of each sequence that only advance its state, if <see cref="IsLastOnly"/>.</summary>
    public ReadOnlySpan<Sequence> StateOnly => stateOnly.AsSpan(0, Count);

    /// <summary>The last row of each sequence that wants logits, as an index into <see cref="LogitRows"/>, if <see cref="IsLastOnly"/>.</summary>
    public ReadOnlySpan<Sequence> LastRows => lastRows.AsSpan(0, lastCount);

    /// <summary>Copies and checks the arguments and takes leases on the states; a call that throws holds none.</summary>
    public void Take(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, int logits, int hidden, bool isLogitsOnly)
    {
        if (batch.IsEmpty || tokens.IsEmpty)
        {
            Throw.Argument("expected at least one token, found none", nameof(tokens));
        }

        if (tokens.Length > most || batch.Length > tokens.Length)
        {
            Throw.Argument(
                Throw.Invariant($"expected at most {most} tokens, and one for each sequence at least, found {tokens.Length} tokens of {batch.Length} sequences"),
                nameof(tokens));
        }

        tokens.CopyTo(this.tokens);
        batch.CopyTo(inputs);
        (Rows, Count) = (tokens.Length, batch.Length);
        try
        {
            Embedding.RequireTokens(Tokens, config.VocabSize);
            CheckLengths(logits, hidden, isLogitsOnly);
            TakeStates();
        }
        catch
        {
            Release();
            throw;
        }

        Arrange();
    }

    /// <summary>Advances the positions of all states.</summary>
    public void Advance()
    {
        for (int i = 0; i < Count; i++)
        {
            states[i].Advance(inputs[i].Length);
        }
    }

    /// <summary>Marks every state as unusable: the pass failed after some layers were advanced.</summary>
    public void Tear()
    {
        for (int i = 0; i < Count; i++)
        {
            states[i].Tear();
        }
    }

    /// <summary>Ends the leases and drops all references to states.</summary>
    public void Release()
    {
        for (int i = 0; i < leased; i++)
        {
            leases[i].Dispose();
        }

        leased = 0;
        distinct.Clear();
        Array.Clear(leases, 0, Count);
        Array.Clear(inputs, 0, Count);
        Array.Clear(states, 0, Count);
        Array.Clear(sequences, 0, Count);
        Array.Clear(stateOnly, 0, Count);
        Array.Clear(lastRows, 0, Count);
    }

    /// <summary>Throws unless every sequence has a state of its own.</summary>
    /// <param name="batch">The sequences.</param>
    /// <param name="seen">Empty; holds the states afterwards.</param>
    /// <param name="argument">The name of the argument that holds the states.</param>
    public static void RequireDistinct(ReadOnlySpan<SequenceInput> batch, HashSet<SequenceState> seen, string argument)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            SequenceState state = batch[i].State;
            if (!seen.Add(state))
            {
                int first = 0;
                while (batch[first].State != state)
                {
                    first++;
                }

                Throw.Argument(Throw.Invariant($"expected a state of its own for each sequence, found the same at {first} and {i}"), argument);
            }
        }
    }

    private void CheckLengths(int logits, int hidden, bool isLogitsOnly)
    {
        (long total, long wanted) = (0, 0);
        foreach (SequenceInput input in inputs.AsSpan(0, Count))
        {
            if (input.Length < 1)
            {
                Throw.Argument(Throw.Invariant($"expected sequences of at least one token, found one of {input.Length}"), "batch");
            }

            total += input.Length;
            wanted += input.LogitCount;
        }

        if (total != Rows)
        {
            Throw.Argument(Throw.Invariant($"expected as many tokens as the sequences have, {total}, found {Rows}"), nameof(tokens));
        }

        if (isLogitsOnly || logits > 0)
        {
            Throw.UnlessLength(wanted * config.VocabSize, logits);
        }

        if (!isLogitsOnly)
        {
            Throw.UnlessLength(wanted * config.DModel, hidden);
        }

        LogitCount = (int)wanted;
    }

    private void TakeStates()
    {
        for (int i = 0; i < Count; i++)
        {
            SequenceState? given = inputs[i].State;
            if (given is not CpuState state)
            {
                Throw.Argument(
                    Throw.Invariant($"expected a state that this executor made, found {given?.GetType().Name ?? "null"} at {i}; copy or import it into one"), "batch");
                return;
            }

            if (!ReferenceEquals(state.Layout, layout) && !state.Layout.Equals(layout))
            {
                Throw.Argument(Throw.Invariant($"expected states of {layout}, found one of {state} at {i}"), "batch");
            }

            state.RequireRoom(inputs[i].Length);
            states[i] = state;
            leases[i] = state.Acquire();
            leased = i + 1;
        }

        if (Count > 1)
        {
            RequireDistinct(inputs.AsSpan(0, Count), distinct, "batch");
        }
    }

    private void Arrange()
    {
        (IsLastOnly, lastCount) = (LogitCount < Rows, 0);
        for (int i = 0, start = 0, row = 0; i < Count; start += inputs[i].Length, i++)
        {
            (int length, int wanted) = (inputs[i].Length, inputs[i].LogitCount);
            sequences[i] = new(start, length, states[i].LayerArray);
            stateOnly[i] = sequences[i] with { Length = length - wanted };
            IsLastOnly &= wanted <= 1;
            if (wanted > 0)
            {
                lastRows[lastCount++] = new(row, wanted, states[i].LayerArray);
            }

            for (int k = length - wanted; k < length; k++)
            {
                logitRows[row++] = start + k;
            }
        }
    }
}
