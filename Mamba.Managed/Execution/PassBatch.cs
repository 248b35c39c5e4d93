using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Execution;

/// <summary>The arguments of one pass on the processor: copied first and checked then, since another thread may write to what a caller gave.</summary>
/// <param name="config">The model's sizes.</param>
/// <param name="layout">That of its states.</param>
/// <param name="most">The most tokens of a pass.</param>
internal sealed class PassBatch(MambaConfig config, StateLayout layout, int most)
{
    private readonly int[] tokens = new int[most];
    private readonly SequenceInput[] inputs = new SequenceInput[most];
    private readonly CpuState[] states = new CpuState[most];
    private readonly TensorBuffer.Lease[] leases = new TensorBuffer.Lease[most];
    private readonly Sequence[] sequences = new Sequence[most];
    private readonly Sequence[] silent = new Sequence[most];
    private readonly Sequence[] closing = new Sequence[most];
    private readonly int[] logitRows = new int[most];
    private readonly HashSet<CpuState> distinct = new(most, ReferenceEqualityComparer.Instance);
    private int leased;
    private int closed;

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

    /// <summary>How many <see cref="LogitRows"/> there are.</summary>
    public int LogitCount { get; private set; }

    /// <summary>Whether logits are wanted after the last token of a sequence at most, so that the last layer need not compute the others' outputs.</summary>
    public bool IsClosing { get; private set; }

    /// <summary>[sequences]: the rows of each whose outputs nobody wants, where <see cref="IsClosing"/>.</summary>
    public ReadOnlySpan<Sequence> Silent => silent.AsSpan(0, Count);

    /// <summary>Of those sequences whose last row is wanted, that row, counted among the wanted ones, where <see cref="IsClosing"/>.</summary>
    public ReadOnlySpan<Sequence> Closing => closing.AsSpan(0, closed);

    /// <summary>Copies and checks the arguments and takes leases on the states; what throws takes none.</summary>
    public void Take(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, int logits)
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
            CheckTokens(Tokens, config.VocabSize);
            CheckLengths(logits);
            TakeStates();
        }
        catch
        {
            Release();
            throw;
        }

        Arrange();
    }

    /// <summary>Moves the positions on.</summary>
    public void Advance()
    {
        for (int i = 0; i < Count; i++)
        {
            states[i].Advance(inputs[i].Length);
        }
    }

    /// <summary>Says of every state that the pass failed on its way.</summary>
    public void Tear()
    {
        for (int i = 0; i < Count; i++)
        {
            states[i].Tear();
        }
    }

    /// <summary>Gives the leases back and holds no state any more.</summary>
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
        Array.Clear(silent, 0, Count);
        Array.Clear(closing, 0, Count);
    }

    /// <summary>Throws unless every token is one of the vocabulary.</summary>
    public static void CheckTokens(ReadOnlySpan<int> tokens, int vocabulary)
    {
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)vocabulary)
            {
                Throw.Argument(Throw.Invariant($"expected token ids from 0 to {vocabulary - 1}, found {token}"), nameof(tokens));
            }
        }
    }

    private void CheckLengths(int logits)
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

        Throw.UnlessLength(wanted * config.VocabSize, logits);
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

            if (!distinct.Add(state))
            {
                Throw.Argument(
                    Throw.Invariant($"expected a state of its own for each sequence, found the same at {Array.IndexOf(states, state)} and {i}"), "batch");
            }

            state.RequireRoom(inputs[i].Length);
            states[i] = state;
            leases[i] = state.Acquire();
            leased = i + 1;
        }
    }

    private void Arrange()
    {
        (IsClosing, closed) = (LogitCount < Rows, 0);
        for (int i = 0, start = 0, row = 0; i < Count; start += inputs[i].Length, i++)
        {
            (int length, int wanted) = (inputs[i].Length, inputs[i].LogitCount);
            sequences[i] = new(start, length, states[i].LayerArray);
            silent[i] = sequences[i] with { Length = length - wanted };
            IsClosing &= wanted <= 1;
            if (wanted > 0)
            {
                closing[closed++] = new(row, wanted, states[i].LayerArray);
            }

            for (int k = length - wanted; k < length; k++)
            {
                logitRows[row++] = start + k;
            }
        }
    }
}
