namespace Mamba.Managed.Generation.Prefixes;

/// <summary>How much a <see cref="PrefixCache"/> keeps, and of what.</summary>
public sealed record PrefixCacheOptions
{
    /// <summary>Most bytes of states and token ids in memory; 0 turns the cache off. A state of the 130m shape has 3 MB.</summary>
    public long MemoryBytes { get; init; } = 256L << 20;

    /// <summary>Within a long prompt, a state is kept every so many tokens. At least 1.</summary>
    public int Interval { get; init; } = 1024;

    /// <summary>A state is kept only where it saves at least so many tokens beside the nearest one before it. At least 1.</summary>
    public int LeastTokens { get; init; } = 32;

    /// <summary>A folder where states are kept too, made if it does not exist; processes may share it. Null for none.</summary>
    /// <remarks>
    /// The folder belongs to the cache, and whoever can write to it decides what the model has read: let only the service write there. Processors of all
    /// kinds with fused multiply-add compute the same bits; machines without should not share a folder with others.
    /// </remarks>
    public string? Folder { get; init; }

    /// <summary>Most bytes of files in the folder; those used least recently are deleted. At least 1.</summary>
    public long FolderBytes { get; init; } = 4L << 30;

    /// <summary>Checks every value and returns these options.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it, the value and the range.</exception>
    internal PrefixCacheOptions Validate()
    {
        Throw.UnlessOption(MemoryBytes >= 0, nameof(MemoryBytes), "0 or more", MemoryBytes);
        Throw.UnlessOption(Interval >= 1, nameof(Interval), "1 or more", Interval);
        Throw.UnlessOption(LeastTokens >= 1, nameof(LeastTokens), "1 or more", LeastTokens);
        Throw.UnlessOption(FolderBytes >= 1, nameof(FolderBytes), "1 or more", FolderBytes);
        return Folder is not { Length: 0 } ? this : Throw.Argument<PrefixCacheOptions>($"{nameof(Folder)}: expected a path or null, found an empty text", nameof(Folder));
    }
}
