using System.Collections;

namespace Mamba.Managed.Models;

/// <summary>Token ids that never change and are equal where all of them are, so that a record that holds them is a value.</summary>
internal sealed class TokenIdList : IReadOnlyList<int>, IEquatable<TokenIdList>
{
    private readonly int[] ids;

    private TokenIdList(int[] ids) => this.ids = ids;

    /// <summary>No ids.</summary>
    public static TokenIdList Empty { get; } = new([]);

    /// <inheritdoc/>
    public int Count => ids.Length;

    /// <inheritdoc/>
    public int this[int index] => ids[index];

    /// <summary>A copy of a list, without repetitions.</summary>
    public static TokenIdList Of(IReadOnlyList<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return ids as TokenIdList ?? (ids.Count == 0 ? Empty : new([.. ids.Distinct()]));
    }

    /// <inheritdoc/>
    public IEnumerator<int> GetEnumerator() => ids.AsEnumerable().GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(TokenIdList? other) => other is not null && ids.AsSpan().SequenceEqual(other.ids);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TokenIdList);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (int id in ids)
        {
            hash.Add(id);
        }

        return hash.ToHashCode();
    }

    /// <summary>The ids between brackets.</summary>
    public override string ToString() => $"[{string.Join(", ", ids)}]";
}
