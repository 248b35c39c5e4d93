namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>What becomes of the matches of a splitting.</summary>
internal enum SplitBehavior
{
    /// <summary>They are left out.</summary>
    Removed,

    /// <summary>Each is a piece of its own.</summary>
    Isolated,

    /// <summary>Each goes with what comes before.</summary>
    MergedWithPrevious,

    /// <summary>Each goes with what comes after.</summary>
    MergedWithNext,

    /// <summary>Those that follow each other are one piece.</summary>
    Contiguous,
}
