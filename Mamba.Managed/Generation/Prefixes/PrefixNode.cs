namespace Mamba.Managed.Generation.Prefixes;

/// <summary>A place in a <see cref="PrefixTree"/>: the tokens from its parent to it, and the state after them.</summary>
internal sealed class PrefixNode(PrefixNode? parent, int[] edge)
{
    // An object, a dictionary with few entries, and the headers of arrays.
    private const int Overhead = 320;

    private Dictionary<int, PrefixNode>? children;

    /// <summary>Where the tokens before it are; null for the root.</summary>
    public PrefixNode? Parent { get; private set; } = parent;

    /// <summary>The tokens from the parent to here; at least one but for the root.</summary>
    public int[] Edge { get; private set; } = edge;

    /// <summary>All tokens up to here.</summary>
    public int Depth { get; } = (parent?.Depth ?? 0) + edge.Length;

    /// <summary>The state after the tokens; null where none is kept.</summary>
    public StoredState? State { get; set; }

    /// <summary>Whether a state was here that had to make room.</summary>
    public bool IsEvicted { get; set; }

    /// <summary>Whether its state was read from the folder and has not been used yet.</summary>
    public bool IsFromFolder { get; set; }

    /// <summary>Its place in a list of nodes that have states.</summary>
    public int Index { get; set; }

    /// <summary>How often its state has been used, its making included.</summary>
    public int Uses { get; set; }

    /// <summary>What the least useful state was worth when this one was last used.</summary>
    public double Age { get; set; }

    /// <summary>How many nodes follow.</summary>
    public int ChildCount => children?.Count ?? 0;

    /// <summary>Whether it holds nothing and only one way leads on.</summary>
    public bool IsIdle => Parent is not null && State is null && !IsEvicted && ChildCount <= 1;

    /// <summary>Memory of the node, without its state.</summary>
    public long ByteLength => Overhead + ((long)Edge.Length * sizeof(int));

    /// <summary>How many tokens its state saves beside the nearest state before it.</summary>
    public int Saved
    {
        get
        {
            PrefixNode? before = Parent;
            while (before is not null && before.State is null)
            {
                before = before.Parent;
            }

            return Depth - (before?.Depth ?? 0);
        }
    }

    /// <summary>The node that a token leads to, or null.</summary>
    public PrefixNode? Child(int token) => children?.GetValueOrDefault(token);

    /// <summary>Adds a node that has this one as its parent.</summary>
    public void Add(PrefixNode child) => (children ??= [])[child.Edge[0]] = child;

    /// <summary>Removes a node.</summary>
    public void Remove(PrefixNode child) => children!.Remove(child.Edge[0]);

    /// <summary>Puts a node after the first tokens of the edge, which then leads on to here.</summary>
    public PrefixNode Split(int length)
    {
        PrefixNode middle = new(Parent, Edge[..length]);
        Parent!.Add(middle);
        (Parent, Edge) = (middle, Edge[length..]);
        middle.Add(this);
        return middle;
    }

    /// <summary>Takes an idle node out of the tree; its child, if there is one, takes its place.</summary>
    public void Unlink()
    {
        PrefixNode before = Parent!;
        if (ChildCount == 0)
        {
            before.Remove(this);
            return;
        }

        PrefixNode child = children!.Values.First();
        (child.Parent, child.Edge) = (before, [.. Edge, .. child.Edge]);
        before.Add(child);
    }
}
