namespace Mamba.Managed.Training;

/// <summary>How batches are cut from documents.</summary>
public sealed record BatchOptions
{
    /// <summary>The number of windows in a batch.</summary>
    public int Windows { get; init; } = 4;

    /// <summary>The number of tokens in a window; a window may contain the end of one document and the beginning of others.</summary>
    public int Length { get; init; } = 128;

    /// <summary>Determines the order of documents and windows.</summary>
    public ulong Seed { get; init; }

    /// <summary>Whether windows are consecutive and carry the state over, instead of being shuffled: truncated backpropagation through time.</summary>
    public bool CarryState { get; init; }

    /// <summary>Checks every value and returns these options.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it.</exception>
    public BatchOptions Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Windows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)Windows * Length, int.MaxValue / 4, nameof(Windows));
        return this;
    }
}
