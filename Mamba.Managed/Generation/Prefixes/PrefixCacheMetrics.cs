namespace Mamba.Managed.Generation.Prefixes;

/// <summary>What a <see cref="PrefixCache"/> holds at one moment; the counts of what happened grow from its beginning on.</summary>
public sealed record PrefixCacheMetrics
{
    /// <summary>States in memory.</summary>
    public int States { get; init; }

    /// <summary>Bytes in memory: states, token ids, and what holds them together.</summary>
    public long Bytes { get; init; }

    /// <summary>States put into memory.</summary>
    public long Stored { get; init; }

    /// <summary>States that made room for others.</summary>
    public long Evicted { get; init; }

    /// <summary>Files in the folder, as far as known.</summary>
    public int Files { get; init; }

    /// <summary>Their bytes.</summary>
    public long FileBytes { get; init; }

    /// <summary>Files written.</summary>
    public long FilesWritten { get; init; }

    /// <summary>States that were not written, because others waited or the folder could not be written a short while before.</summary>
    public long FilesSkipped { get; init; }

    /// <summary>Files that were damaged, truncated or not what their name says; they are deleted.</summary>
    public long FilesRefused { get; init; }

    /// <summary>Why the folder could not be used lately; null where it can.</summary>
    public string? FolderProblem { get; init; }
}

/// <summary>How often the requests of an engine found a state in its <see cref="PrefixCache"/>, and why not.</summary>
public sealed record PrefixCounts
{
    /// <summary>Tokens that did not have to be fed.</summary>
    public long CachedTokens { get; init; }

    /// <summary>Requests that found a state in memory.</summary>
    public long Hits { get; init; }

    /// <summary>Requests that found one in the folder.</summary>
    public long FolderHits { get; init; }

    /// <summary>Requests with <see cref="PrefixOutcome.NeverStored"/>.</summary>
    public long NeverStored { get; init; }

    /// <summary>Requests with <see cref="PrefixOutcome.Parted"/>.</summary>
    public long Parted { get; init; }

    /// <summary>Requests with <see cref="PrefixOutcome.Evicted"/>.</summary>
    public long Evicted { get; init; }

    /// <summary>Requests with <see cref="PrefixOutcome.OtherModel"/>.</summary>
    public long OtherModel { get; init; }

    /// <summary>The counts with one more request.</summary>
    internal PrefixCounts With(PrefixUse use)
    {
        PrefixCounts more = this with { CachedTokens = CachedTokens + use.CachedTokens };
        return use.Outcome switch
        {
            PrefixOutcome.Hit => more with { Hits = Hits + 1 },
            PrefixOutcome.FolderHit => more with { FolderHits = FolderHits + 1 },
            PrefixOutcome.NeverStored => more with { NeverStored = NeverStored + 1 },
            PrefixOutcome.Parted => more with { Parted = Parted + 1 },
            PrefixOutcome.Evicted => more with { Evicted = Evicted + 1 },
            PrefixOutcome.OtherModel => more with { OtherModel = OtherModel + 1 },
            _ => this,
        };
    }
}
