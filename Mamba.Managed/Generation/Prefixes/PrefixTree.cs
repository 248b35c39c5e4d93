using System.Runtime.InteropServices;

namespace Mamba.Managed.Generation.Prefixes;

/// <summary>States by the tokens that they have seen: a compressed radix tree under a budget of bytes. Whoever calls holds a lock.</summary>
/// <remarks>
/// Usefulness is that of GreedyDual-Size-Frequency (Cherkasova 1998): uses x tokens saved / bytes, plus the usefulness of what was evicted last when the
/// state was last used, so that what is no longer used grows old. Places of evicted states stay for a while without them, to tell why a request missed.
/// </remarks>
internal sealed class PrefixTree(long budget)
{
    // The least useful state is found by looking at all.
    private const int MostStates = 16_384;
    private const int MostEvicted = 4_096;

    // Token ids may take this part of the budget, before places without a state are forgotten.
    private const int TokenShare = 4;

    // What a text takes beside its tokens, at most.
    private const int PlaceBytes = 1024;

    private readonly PrefixNode root = new(null, []);
    private readonly List<PrefixNode> stored = [];
    private readonly LinkedList<PrefixNode> evicted = [];
    private long nodeBytes;
    private long stateBytes;
    private double age;

    /// <summary>States.</summary>
    public int Count => stored.Count;

    /// <summary>Memory of all.</summary>
    public long Bytes => nodeBytes + stateBytes;

    /// <summary>States evicted so far.</summary>
    public long Evictions { get; private set; }

    /// <summary>How far a text is known, and the last state on its way.</summary>
    /// <param name="tokens">The text.</param>
    /// <param name="most">States of more tokens do not count.</param>
    public PrefixMatch Match(ReadOnlySpan<int> tokens, int most)
    {
        PrefixNode node = root;
        PrefixNode? found = null;
        int lost = 0;
        while (true)
        {
            ReadOnlySpan<int> rest = tokens[node.Depth..];
            if (rest.IsEmpty || node.Child(rest[0]) is not { } child)
            {
                return new(found, node.Depth, lost);
            }

            int common = rest.CommonPrefixLength(child.Edge);
            if (common < child.Edge.Length)
            {
                return new(found, node.Depth + common, lost);
            }

            node = child;
            if (node.Depth <= most)
            {
                found = node.State is null ? found : node;
                lost = node.IsEvicted ? node.Depth : lost;
            }
        }
    }

    /// <summary>Takes note that a state was used.</summary>
    public void Use(PrefixNode node) => (node.Uses, node.Age) = (node.Uses + 1, age);

    /// <summary>Adds a state, whose place must have none; others may have to make room.</summary>
    /// <param name="tokens">Those that the state has seen.</param>
    /// <param name="state">The state; the tree holds it.</param>
    /// <param name="released">Gets the states that the tree no longer holds.</param>
    /// <returns>Its place; null where the state is larger than the budget.</returns>
    public PrefixNode? Add(ReadOnlySpan<int> tokens, StoredState state, List<StoredState> released)
    {
        if (state.ByteLength + ((long)tokens.Length * sizeof(int)) + PlaceBytes > budget)
        {
            released.Add(state);
            return null;
        }

        PrefixNode node = Place(tokens);
        if (node.IsEvicted)
        {
            node.IsEvicted = false;
            evicted.Remove(node);
        }

        (node.State, node.Uses, node.Age, node.Index) = (state, 1, age, stored.Count);
        stored.Add(node);
        stateBytes += state.ByteLength;
        MakeRoom(node, released);
        return node;
    }

    /// <summary>Removes everything.</summary>
    /// <param name="released">Gets the states.</param>
    public void Clear(List<StoredState> released)
    {
        while (stored.Count > 0)
        {
            released.Add(TakeState(stored[^1]));
        }

        while (evicted.First is not null)
        {
            Forget();
        }
    }

    private PrefixNode Place(ReadOnlySpan<int> tokens)
    {
        PrefixNode node = root;
        while (node.Depth < tokens.Length)
        {
            ReadOnlySpan<int> rest = tokens[node.Depth..];
            PrefixNode? child = node.Child(rest[0]);
            if (child is null)
            {
                child = new(node, rest.ToArray());
                node.Add(child);
                nodeBytes += child.ByteLength;
            }
            else if (rest.CommonPrefixLength(child.Edge) is int common && common < child.Edge.Length)
            {
                nodeBytes -= child.ByteLength;
                PrefixNode middle = child.Split(common);
                nodeBytes += child.ByteLength + middle.ByteLength;
                child = middle;
            }

            node = child;
        }

        return node;
    }

    private void MakeRoom(PrefixNode newest, List<StoredState> released)
    {
        while (Bytes > budget || stored.Count > MostStates || evicted.Count > MostEvicted)
        {
            bool isTokens = evicted.Count > MostEvicted || (evicted.Count > 0 && (nodeBytes > budget / TokenShare || stored.Count == 1));
            if (isTokens)
            {
                Forget();
            }
            else if (stored.Count > 1)
            {
                Evict(LeastUseful(newest), released);
            }
            else
            {
                return;
            }
        }
    }

    private PrefixNode LeastUseful(PrefixNode newest)
    {
        PrefixNode? least = null;
        double worth = double.PositiveInfinity;
        foreach (PrefixNode node in CollectionsMarshal.AsSpan(stored))
        {
            double own = node.Age + ((double)node.Uses * node.Saved / node.State!.ByteLength);
            if (own < worth && node != newest)
            {
                (least, worth) = (node, own);
            }
        }

        age = worth;
        return least!;
    }

    private void Evict(PrefixNode node, List<StoredState> released)
    {
        Evictions++;
        node.IsEvicted = true;
        evicted.AddLast(node);
        released.Add(TakeState(node));
    }

    private StoredState TakeState(PrefixNode node)
    {
        StoredState state = node.State!;
        PrefixNode last = stored[^1];
        (stored[node.Index], last.Index) = (last, node.Index);
        stored.RemoveAt(stored.Count - 1);
        stateBytes -= state.ByteLength;
        (node.State, node.IsFromFolder) = (null, false);
        Prune(node);
        return state;
    }

    // The place that lost its state first.
    private void Forget()
    {
        PrefixNode node = evicted.First!.Value;
        evicted.RemoveFirst();
        node.IsEvicted = false;
        Prune(node);
    }

    private void Prune(PrefixNode node)
    {
        for (PrefixNode next; node.IsIdle; node = next)
        {
            next = node.Parent!;
            nodeBytes -= node.ByteLength;
            long moved = node.ChildCount * (long)node.Edge.Length * sizeof(int);
            node.Unlink();
            nodeBytes += moved;
        }
    }
}

/// <summary>How far a text is known to a <see cref="PrefixTree"/>.</summary>
/// <param name="Node">The last place on its way that has a state; null for none.</param>
/// <param name="Shared">Tokens that are those of some text in the tree.</param>
/// <param name="Lost">Tokens of the last place on its way whose state was evicted; 0 for none.</param>
internal readonly record struct PrefixMatch(PrefixNode? Node, int Shared, int Lost);
