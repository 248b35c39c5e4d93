using Mamba.Managed.Models;

namespace Mamba.Managed.Execution;

/// <summary>One sequence of a pass.</summary>
/// <param name="State">The sequence so far; advanced by the tokens.</param>
/// <param name="Length">How many of the pass's tokens belong to it: at least one.</param>
/// <param name="Logits">After which of them logits are wanted.</param>
public readonly record struct SequenceInput(SequenceState State, int Length, LogitRows Logits)
{
    /// <summary>The number of rows of logits of this sequence.</summary>
    public int LogitCount => Logits switch
    {
        LogitRows.None => 0,
        LogitRows.Last => 1,
        LogitRows.All => Length,
        _ => Throw.Argument<int>(Throw.Invariant($"expected {nameof(LogitRows)} None, Last or All, found {(int)Logits}"), nameof(Logits)),
    };
}

/// <summary>After which tokens of a sequence logits are wanted.</summary>
public enum LogitRows
{
    /// <summary>After none: only the state is wanted, for example of a chunk before the last of a prompt.</summary>
    None,

    /// <summary>After the last.</summary>
    Last,

    /// <summary>After each.</summary>
    All,
}
