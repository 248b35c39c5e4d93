using System.Globalization;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>The arguments of one pass: copied before they are checked, since another thread may write to the caller's memory meanwhile.</summary>
/// <param name="config">The model's sizes.</param>
/// <param name="owner">The memory in which every state must lie.</param>
/// <param name="most">The most tokens of a pass.</param>
internal sealed class PassBatch(MambaConfig config, DeviceStates owner, int most)
{
    private readonly int[] tokens = new int[most];
    private readonly int[] slots = new int[most];
    private readonly SequenceInput[] inputs = new SequenceInput[most];
    private readonly HashSet<SequenceState> distinct = new(ReferenceEqualityComparer.Instance);

    /// <summary>How many sequences.</summary>
    public int Count { get; private set; }

    /// <summary>Tokens of all sequences.</summary>
    public ReadOnlySpan<int> Tokens => tokens.AsSpan(0, Rows);

    /// <summary>[sequences]: where each state lies in the pool.</summary>
    public ReadOnlySpan<int> Slots => slots.AsSpan(0, Count);

    /// <summary>[sequences]</summary>
    public ReadOnlySpan<SequenceInput> Inputs => inputs.AsSpan(0, Count);

    /// <summary>How many logit rows are wanted.</summary>
    public int LogitCount { get; private set; }

    /// <summary>Whether every sequence has one token.</summary>
    public bool IsStep => Rows == Count;

    private int Rows { get; set; }

    /// <summary>Copies and checks the arguments.</summary>
    public void Take(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, int logits)
    {
        Require(!tokens.IsEmpty && !batch.IsEmpty, $"expected at least one token, found none", nameof(tokens));
        Require(
            tokens.Length <= most && batch.Length <= tokens.Length,
            $"expected at most {most} tokens, and one for each sequence at least, found {tokens.Length} tokens of {batch.Length} sequences",
            nameof(tokens));
        tokens.CopyTo(this.tokens);
        batch.CopyTo(inputs);
        (Rows, Count) = (tokens.Length, batch.Length);
        try
        {
            CheckTokens();
            CheckLengths(logits);
            CheckStates();
        }
        catch
        {
            Release();
            throw;
        }
    }

    /// <summary>Advances the positions of all states.</summary>
    public void Advance()
    {
        foreach (SequenceInput input in Inputs)
        {
            ((GpuState)input.State).Advance(input.Length);
        }
    }

    /// <summary>Marks every state as unusable: the pass failed after some layers were advanced.</summary>
    public void Tear()
    {
        foreach (SequenceInput input in Inputs)
        {
            ((GpuState)input.State).Tear();
        }
    }

    /// <summary>Drops all references to states.</summary>
    public void Release()
    {
        distinct.Clear();
        Array.Clear(inputs, 0, Count);
    }

    private void CheckTokens()
    {
        foreach (int token in Tokens)
        {
            Require((uint)token < (uint)config.VocabSize, $"expected token ids from 0 to {config.VocabSize - 1}, found {token}", nameof(tokens));
        }
    }

    private void CheckLengths(int logits)
    {
        (long total, long wanted) = (0, 0);
        foreach (SequenceInput input in Inputs)
        {
            Require(input.Length >= 1, $"expected sequences of at least one token, found one of {input.Length}", "batch");
            total += input.Length;
            wanted += input.LogitCount;
        }

        Require(total == Rows, $"expected as many tokens as the sequences have, {total}, found {Rows}", nameof(tokens));
        Require(wanted * config.VocabSize == logits, $"expected {wanted * config.VocabSize} numbers, found {logits}", nameof(logits));
        LogitCount = (int)wanted;
    }

    private void CheckStates()
    {
        for (int i = 0; i < Count; i++)
        {
            SequenceState? given = inputs[i].State;
            Require(
                given is GpuState own && own.IsOf(owner),
                $"expected a state that this executor made, found {given?.GetType().Name ?? "null"} at {i}; copy or import it into one",
                "batch");
            Require(given!.Position <= long.MaxValue - inputs[i].Length, $"expected a state that can count {inputs[i].Length} more tokens, found one at position {given.Position}", "batch");
            Require(distinct.Add(given), $"expected a state of its own for each sequence, found that of {i} before", "batch");
            slots[i] = ((GpuState)given).WholeSlot();
        }
    }

    private static void Require(bool condition, FormattableString problem, string argument)
    {
        if (!condition)
        {
            throw new ArgumentException(problem.ToString(CultureInfo.InvariantCulture), argument);
        }
    }
}
