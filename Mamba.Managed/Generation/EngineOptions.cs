using Mamba.Managed.Execution;
using Mamba.Managed.Generation.Prefixes;

namespace Mamba.Managed.Generation;

/// <summary>How a <see cref="GenerationEngine"/> shares the executor among requests.</summary>
public sealed record EngineOptions
{
    /// <summary>Most sequences of a pass; more requests than that take turns. At least 1.</summary>
    public int MaxBatch { get; init; } = 32;

    /// <summary>Most requests that are under way at once, each with a state in memory; others are queued. At least 1.</summary>
    public int MaxRunning { get; init; } = 256;

    /// <summary>Most requests that are queued; another one is refused. 0 or more.</summary>
    public int MaxQueued { get; init; } = 1024;

    /// <summary>How long a pass may take while others wait for their next token: prompts are read in chunks that fit. At least a millisecond.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>States of texts read before, from which requests that begin alike start; null for none. The engine does not dispose it.</summary>
    public PrefixCache? Prefixes { get; init; }

    /// <summary>The defaults, with a batch that an executor can take.</summary>
    internal static EngineOptions For(IMambaExecutor executor)
    {
        EngineOptions options = new();
        return options with { MaxBatch = Math.Min(options.MaxBatch, executor.MaxRows) };
    }

    /// <summary>Checks every value and returns these options.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it, the value and the range.</exception>
    internal EngineOptions Validate(IMambaExecutor executor)
    {
        Throw.UnlessOption(MaxBatch >= 1 && MaxBatch <= executor.MaxRows, nameof(MaxBatch), Throw.Invariant($"1 to the executor's {executor.MaxRows} rows"), MaxBatch);
        Throw.UnlessOption(MaxRunning >= 1, nameof(MaxRunning), "1 or more", MaxRunning);
        Throw.UnlessOption(MaxQueued >= 0, nameof(MaxQueued), "0 or more", MaxQueued);
        Throw.UnlessOption(MaxDelay >= TimeSpan.FromMilliseconds(1) && MaxDelay <= TimeSpan.FromHours(1), nameof(MaxDelay), "a millisecond to an hour", MaxDelay);
        return this;
    }
}
