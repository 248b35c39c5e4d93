using System.Runtime.InteropServices;

namespace Mamba.Managed.Grammars;

/// <summary>Compares sets of states by their members, in ascending order.</summary>
internal sealed class StateSetComparer : IEqualityComparer<int[]>
{
    /// <summary>The only one.</summary>
    public static StateSetComparer Instance { get; } = new();

    /// <inheritdoc/>
    public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

    /// <inheritdoc/>
    public int GetHashCode(int[] obj)
    {
        HashCode hash = default;
        hash.AddBytes(MemoryMarshal.AsBytes(obj.AsSpan()));
        return hash.ToHashCode();
    }
}
