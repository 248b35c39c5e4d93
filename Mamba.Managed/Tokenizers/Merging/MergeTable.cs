using System.Runtime.CompilerServices;

namespace Mamba.Managed.Tokenizers.Merging;

/// <summary>Which neighboring symbols merge, how urgently, and into what.</summary>
/// <remarks>
/// Merges of a list have a rank each. Where the score of the merged piece decides, as in SentencePiece, pieces of equal score share one rank, and the
/// leftmost pair goes first.
/// </remarks>
internal sealed class MergeTable(int capacity)
{
    private readonly PairTable pairs = new(capacity);
    private readonly List<Merge> merges = new(capacity);

    /// <summary>How many merges there are.</summary>
    public int Count => merges.Count;

    /// <summary>Adds a merge, unless the pair has one.</summary>
    /// <returns>Whether it was added.</returns>
    public bool TryAdd(int left, int right, Merge merge)
    {
        if (!pairs.TryAdd(left, right, merges.Count))
        {
            return false;
        }

        merges.Add(merge);
        return true;
    }

    /// <summary>What a pair merges into; a rank of <see cref="Merge.Never"/> where it does not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Merge Find(int left, int right) => pairs.Find(left, right) is var at and >= 0 ? merges[at] : Merge.None;
}

/// <summary>What two neighboring symbols become.</summary>
/// <param name="Rank">Lower ranks go first.</param>
/// <param name="Symbol">The symbol that they become.</param>
internal readonly record struct Merge(int Rank, int Symbol)
{
    /// <summary>The rank of a pair that does not merge.</summary>
    public const int Never = int.MaxValue;

    /// <summary>A pair that does not merge.</summary>
    public static Merge None => new(Never, -1);
}
