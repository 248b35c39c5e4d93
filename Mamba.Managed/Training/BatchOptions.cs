namespace Mamba.Managed.Training;

/// <summary>How batches are cut from documents.</summary>
public sealed record BatchOptions
{
    /// <summary>Windows of a batch.</summary>
    public int Windows { get; init; } = 4;

    /// <summary>Rows of a window; a window may hold the end of one document and the beginning of others.</summary>
    public int Length { get; init; } = 128;

    /// <summary>The order of documents and windows follows from it.</summary>
    public ulong Seed { get; init; }

    /// <summary>Whether windows follow each other and carry the state on, rather than being shuffled: backpropagation truncated at the window.</summary>
    public bool CarryState { get; init; }

    /// <summary>Returns these options when every value can be used.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it.</exception>
    public BatchOptions Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Windows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)Windows * Length, int.MaxValue / 4, nameof(Windows));
        return this;
    }
}
