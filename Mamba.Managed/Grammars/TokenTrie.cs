namespace Mamba.Managed.Grammars;

/// <summary>Tokens by their bytes, as a tree of prefixes laid out in the order in which it is walked.</summary>
/// <remarks>A node's descendants follow it at once, so that a walk goes forward, and leaves out a subtree by one jump.</remarks>
internal sealed class TokenTrie
{
    private readonly byte[] values;
    private readonly int[] depths;
    private readonly int[] afters;
    private readonly int[] firstTokens;
    private readonly int[] tokens;
    private readonly int[] deepest;
    private readonly int[] byLength;
    private readonly int[] lengths;

    /// <summary>Sorts tokens.</summary>
    /// <param name="ids">Each once.</param>
    /// <param name="bytesOf">At least one byte for each.</param>
    public TokenTrie(IEnumerable<int> ids, Func<int, byte[]> bytesOf)
    {
        tokens = [.. ids];
        Array.Sort(tokens, (x, y) => bytesOf(x).AsSpan().SequenceCompareTo(bytesOf(y)) is not 0 and int order ? order : x.CompareTo(y));
        List<byte> values = [0];
        List<int> depths = [0], firsts = [0], open = [0];
        Dictionary<int, int> ends = [];
        byte[] last = [];
        for (int index = 0; index < tokens.Length; index++)
        {
            byte[] bytes = bytesOf(tokens[index]);
            int shared = bytes.AsSpan().CommonPrefixLength(last);
            Leave(shared);
            for (int depth = shared; depth < bytes.Length; depth++)
            {
                open.Add(values.Count);
                values.Add(bytes[depth]);
                depths.Add(depth + 1);
                firsts.Add(index);
            }

            last = bytes;
            MostDepth = Math.Max(MostDepth, bytes.Length);
        }

        Leave(-1);
        firsts.Add(tokens.Length);
        (this.values, this.depths, firstTokens) = ([.. values], [.. depths], [.. firsts]);
        afters = [.. Enumerable.Range(0, values.Count).Select(node => ends[node])];
        deepest = Deepest();
        byLength = [.. tokens.OrderByDescending(token => bytesOf(token).Length)];
        lengths = [.. byLength.Select(token => bytesOf(token).Length)];

        void Leave(int depth)
        {
            for (; open.Count > depth + 1; open.RemoveAt(open.Count - 1))
            {
                ends[open[^1]] = values.Count;
            }
        }
    }

    /// <summary>The length of the longest token.</summary>
    public int MostDepth { get; }

    /// <summary>The byte that leads to each node; the root is node 0.</summary>
    public ReadOnlySpan<byte> Values => values;

    /// <summary>How many bytes lead to each node.</summary>
    public ReadOnlySpan<int> Depths => depths;

    /// <summary>The node after each node and its descendants.</summary>
    public ReadOnlySpan<int> Afters => afters;

    /// <summary>The tokens that are a node's bytes.</summary>
    public ReadOnlySpan<int> TokensAt(int node) => tokens.AsSpan(firstTokens[node]..firstTokens[node + 1]);

    /// <summary>How many bytes lead to the longest token of each node and its descendants.</summary>
    public ReadOnlySpan<int> MostDepths => deepest;

    /// <summary>The tokens of more bytes.</summary>
    public ReadOnlySpan<int> LongerThan(int length)
    {
        int count = 0;
        while (count < lengths.Length && lengths[count] > length)
        {
            count++;
        }

        return byLength.AsSpan(0, count);
    }

    // Backwards, children come before their parent.
    private int[] Deepest()
    {
        int[] most = new int[depths.Length], children = new int[MostDepth + 2];
        for (int node = depths.Length - 1; node >= 0; node--)
        {
            int depth = depths[node];
            most[node] = Math.Max(depth, children[depth + 1]);
            children[depth + 1] = 0;
            children[depth] = Math.Max(children[depth], most[node]);
        }

        return most;
    }
}
