using Mamba.Managed.Models;

namespace Mamba.Managed.Generation.Prefixes;

/// <summary>What one request takes from a cache and gives to it.</summary>
/// <param name="cache">The cache.</param>
/// <param name="session">The text; its state is the engine's own work.</param>
/// <param name="fingerprint">That of the executor.</param>
internal sealed class PrefixPlan(PrefixCache cache, GenerationSession session, ModelFingerprint fingerprint)
{
    private Task? load;
    private int last;
    private int parting;

    /// <summary>Whether the folder is being read.</summary>
    public bool IsLoading => load is { IsCompleted: false };

    /// <summary>How many of the waiting tokens may be fed until a state is to be kept.</summary>
    public int Room => Math.Max(1, Next((int)session.State.Position) - (int)session.State.Position);

    /// <summary>Begins to read the folder, if it may have something.</summary>
    /// <param name="changed">Called when it has been read.</param>
    public void Load(Action changed)
    {
        if (session.State.Position == 0)
        {
            load = cache.Load(session.Tokens, session.State, fingerprint);
            load?.ContinueWith(_ => changed(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    /// <summary>Takes what the cache has, and decides where states are to be kept.</summary>
    public PrefixUse Start()
    {
        PrefixUse use = session.State.Position == 0 ? cache.Restore(session.Tokens, session.State, fingerprint) : default;
        int position = (int)session.State.Position, end = session.Tokens.Length - 1;

        // Where two texts part counts more than the end of this one, if both are close: the next text may part there as well.
        parting = use.SharedTokens - position >= cache.LeastTokens && use.SharedTokens <= end ? use.SharedTokens : 0;
        last = end - Math.Max(position, parting) >= cache.LeastTokens ? end : 0;
        return use;
    }

    /// <summary>Keeps the state, if it is at such a place.</summary>
    public void Fed()
    {
        int position = (int)session.State.Position;
        if (position > 0 && (position == last || position == parting || position % cache.Interval == 0))
        {
            Store();
        }
    }

    /// <summary>Keeps the state: the request has ended.</summary>
    public void Store()
    {
        int position = (int)session.State.Position;
        if (position == 0 || position > session.Tokens.Length)
        {
            return;
        }

        try
        {
            cache.Store(session.Tokens[..position], session.State, fingerprint);
        }
        catch (ObjectDisposedException)
        {
            // The session was disposed during its request, which needs its state no more.
        }
    }

    // Places of the interval that are close to another one are passed over.
    private int Next(int position)
    {
        int next = position < parting ? parting : position < last ? last : int.MaxValue;
        long regular = ((long)position / cache.Interval * cache.Interval) + cache.Interval;
        return regular <= (long)next - cache.LeastTokens && regular < session.Tokens.Length ? (int)regular : next;
    }
}
