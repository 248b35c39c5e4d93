using Mamba.Managed.Models;

namespace Mamba.Managed.Generation.Prefixes;

/// <summary>States of texts that a model has read, so that a text which begins alike is read from where they part.</summary>
/// <remarks>
/// <para>
/// It is given to engines by <see cref="EngineOptions.Prefixes"/>; several engines of the same model may share one, and it outlives them. The first that
/// uses it says which model it is for. States are kept where a prompt ends (before its last token, which is always fed), where a request ends, every
/// <see cref="PrefixCacheOptions.Interval"/> tokens, and where a prompt parts from an earlier one. A hit gives the same bits as reading the text.
/// </para>
/// <para>
/// What a session brings with it may be anything: only what the engine has computed from the beginning of a text is kept. How long a request takes tells
/// whether others have sent the same beginning; where tenants must not learn that, give each an engine and a cache.
/// </para>
/// </remarks>
public sealed class PrefixCache : IDisposable
{
    private const int MostFree = 4;

    private readonly Lock gate = new();
    private readonly PrefixCacheOptions options;
    private readonly PrefixTree tree;
    private readonly PrefixFolder? folder;
    private readonly Stack<CpuState> free = [];
    private PrefixOwner? owner;
    private long added;
    private bool isDisposed;

    /// <summary>Makes an empty cache; the folder, if there is one, may hold states already.</summary>
    /// <param name="options">How much is kept; null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="IOException">The folder does not exist and cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be made.</exception>
    public PrefixCache(PrefixCacheOptions? options = null)
        : this(options, AtomicFile.Write)
    {
    }

    /// <summary>A cache whose files are written otherwise.</summary>
    internal PrefixCache(PrefixCacheOptions? options, Action<string, Action<Stream>> write)
    {
        this.options = (options ?? new()).Validate();
        tree = new(this.options.MemoryBytes);
        folder = this.options is { Folder: string path, MemoryBytes: > 0 } ? new(path, this.options.FolderBytes, write) : null;
    }

    /// <summary>What the cache holds and has done.</summary>
    public PrefixCacheMetrics Metrics
    {
        get
        {
            PrefixCacheMetrics metrics = folder?.Metrics ?? new();
            lock (gate)
            {
                return metrics with { States = tree.Count, Bytes = tree.Bytes, Stored = added, Evicted = tree.Evictions };
            }
        }
    }

    /// <summary>Every how many tokens of a long prompt a state is kept.</summary>
    internal int Interval => options.Interval;

    /// <summary>How many tokens a state has to save to be kept.</summary>
    internal int LeastTokens => options.LeastTokens;

    /// <summary>Forgets the states in memory; files stay.</summary>
    public void Clear()
    {
        List<StoredState> released = [];
        lock (gate)
        {
            tree.Clear(released);
        }

        Release(released);
    }

    /// <summary>Waits until the states that are to be written to the folder are, and frees memory. Engines that still have the cache go on without it.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isDisposed = true;
        }

        folder?.Dispose();
        Clear();
        while (TakeFree() is { } state)
        {
            state.Dispose();
        }
    }

    /// <summary>Waits until what has been stored until now is in the folder.</summary>
    internal void Flush() => folder?.Flush();

    /// <summary>Makes a state equal to the longest that is kept for the beginning of a text.</summary>
    /// <param name="tokens">The text; its last token is left to be fed.</param>
    /// <param name="state">A new state of the executor; not changed without a hit.</param>
    /// <param name="fingerprint">That of the executor.</param>
    internal PrefixUse Restore(ReadOnlySpan<int> tokens, SequenceState state, ModelFingerprint fingerprint)
    {
        StoredState found;
        PrefixUse use;
        lock (gate)
        {
            if (isDisposed || options.MemoryBytes == 0 || tokens.Length < 2)
            {
                return default;
            }

            if (!IsOwnedBy(new(fingerprint, state)))
            {
                return new(PrefixOutcome.OtherModel, 0, 0);
            }

            PrefixMatch match = tree.Match(tokens, tokens.Length - 1);
            if (match.Node is not { } node)
            {
                return new(match.Shared == 0 ? PrefixOutcome.NeverStored : match.Lost > 0 ? PrefixOutcome.Evicted : PrefixOutcome.Parted, 0, match.Shared);
            }

            use = new(node.IsFromFolder ? PrefixOutcome.FolderHit : PrefixOutcome.Hit, node.Depth, match.Shared);
            node.IsFromFolder = false;
            tree.Use(node);
            found = node.State!;
            found.Hold();
        }

        try
        {
            found.CopyTo(state);
        }
        finally
        {
            Release([found]);
        }

        return use;
    }

    /// <summary>Keeps a state, unless there is one or it would save too little.</summary>
    /// <param name="tokens">What the state has seen.</param>
    /// <param name="state">Not changed.</param>
    /// <param name="fingerprint">That of its executor.</param>
    internal void Store(ReadOnlySpan<int> tokens, SequenceState state, ModelFingerprint fingerprint)
    {
        PrefixOwner user = new(fingerprint, state);
        CpuState? reused;
        lock (gate)
        {
            if (!IsWanted(tokens, user))
            {
                return;
            }

            free.TryPop(out reused);
        }

        StoredState stored = StoredState.Of(state, reused);
        folder?.Write(new(user, tokens.ToArray(), stored, Release));
        Add(tokens, stored, user, isFromFolder: false);
    }

    /// <summary>Reads the longest state that the folder has for the beginning of a text into memory; null where there is none, as far as known.</summary>
    /// <param name="tokens">The text.</param>
    /// <param name="state">One of the executor, for its sizes.</param>
    /// <param name="fingerprint">That of the executor.</param>
    internal Task? Load(ReadOnlySpan<int> tokens, SequenceState state, ModelFingerprint fingerprint)
    {
        PrefixOwner user = new(fingerprint, state);
        int least;
        lock (gate)
        {
            if (folder is null || isDisposed || tokens.Length < 2 || !IsOwnedBy(user))
            {
                return null;
            }

            least = (tree.Match(tokens, tokens.Length - 1).Node?.Depth ?? 0) + options.LeastTokens;
        }

        if (!folder.MayHave(least, tokens.Length - 1))
        {
            return null;
        }

        int[] text = tokens.ToArray();
        return Task.Run(() =>
        {
            if (folder.Read(text, least, user, state) is { } found)
            {
                Add(text.AsSpan(0, (int)found.Position), found, user, isFromFolder: true);
            }
        });
    }

    private bool IsOwnedBy(PrefixOwner user) => (owner ??= user).Equals(user);

    private bool IsWanted(ReadOnlySpan<int> tokens, PrefixOwner user)
    {
        if (isDisposed || options.MemoryBytes == 0 || !IsOwnedBy(user))
        {
            return false;
        }

        PrefixNode? nearest = tree.Match(tokens, tokens.Length).Node;
        return tokens.Length - (nearest?.Depth ?? 0) >= options.LeastTokens;
    }

    private void Add(ReadOnlySpan<int> tokens, StoredState state, PrefixOwner user, bool isFromFolder)
    {
        List<StoredState> released = [];
        lock (gate)
        {
            // Another engine may have been faster.
            if (!IsWanted(tokens, user))
            {
                released.Add(state);
            }
            else if (tree.Add(tokens, state, released) is { } node)
            {
                node.IsFromFolder = isFromFolder;
                added++;
            }
        }

        Release(released);
    }

    private void Release(List<StoredState> states)
    {
        foreach (StoredState state in states)
        {
            if (state.Release() is { } memory)
            {
                Return(memory);
            }
        }
    }

    // Some memory is kept: what has just been taken from the system costs more to write to.
    private void Return(CpuState memory)
    {
        lock (gate)
        {
            if (!isDisposed && free.Count < MostFree)
            {
                free.Push(memory);
                return;
            }
        }

        memory.Dispose();
    }

    private CpuState? TakeFree()
    {
        lock (gate)
        {
            return free.TryPop(out CpuState? state) ? state : null;
        }
    }
}
