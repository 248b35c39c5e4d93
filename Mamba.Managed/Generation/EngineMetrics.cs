using Mamba.Managed.Generation.Prefixes;

namespace Mamba.Managed.Generation;

/// <summary>Counts of a <see cref="GenerationEngine"/> at one moment; those of what happened grow from its beginning on.</summary>
public sealed record EngineMetrics
{
    /// <summary>Requests that wait for others to end.</summary>
    public int Queued { get; init; }

    /// <summary>Requests under way.</summary>
    public int Running { get; init; }

    /// <summary>Requests that came to their end.</summary>
    public long Finished { get; init; }

    /// <summary>Requests that their callers gave up.</summary>
    public long Canceled { get; init; }

    /// <summary>Requests whose deadline passed.</summary>
    public long Expired { get; init; }

    /// <summary>Requests that failed: a constraint that forbids everything, logits that are not numbers, a device that fails.</summary>
    public long Failed { get; init; }

    /// <summary>Requests that found the queue full.</summary>
    public long Rejected { get; init; }

    /// <summary>Tokens of prompts that were fed.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Tokens that were chosen.</summary>
    public long GeneratedTokens { get; init; }

    /// <summary>How often requests found what they begin with in the cache; all 0 without one.</summary>
    public PrefixCounts Prefixes { get; init; } = new();

    /// <summary>What the cache holds, which other engines may share; null without one.</summary>
    public PrefixCacheMetrics? PrefixCache { get; init; }

    /// <summary>Passes of the executor.</summary>
    public long Passes { get; init; }

    /// <summary>Sequences of all passes; over <see cref="Passes"/> this is the mean batch.</summary>
    public long Sequences { get; init; }

    /// <summary>Time within passes.</summary>
    public TimeSpan PassTime { get; init; }
}
