using System.Numerics;
using System.Numerics.Tensors;

namespace Mamba.Managed.Grammars;

/// <summary>The tokens that a state allows by itself, while its rule lasts; few of them as a list.</summary>
/// <param name="mask">A bit for each token; empty where there is a list.</param>
/// <param name="tokens">The list.</param>
/// <param name="exits">The nodes of the tokens' tree at which the rule may end.</param>
internal sealed class StateTokens(ulong[] mask, int[] tokens, int[] exits)
{
    private const int MostListed = 512;

    /// <summary>The nodes of the tokens' tree at which the rule may end.</summary>
    public int[] Exits => exits;

    /// <summary>The memory that it takes, about.</summary>
    public long Bytes => 100 + (8 * mask.Length) + (4 * (tokens.Length + exits.Length));

    /// <summary>From a mask, which it keeps where many bits are set.</summary>
    public static StateTokens Of(ulong[] mask, int[] exits)
    {
        if (TensorPrimitives.PopCount<ulong>(mask) > MostListed)
        {
            return new(mask, [], exits);
        }

        List<int> tokens = [];
        for (int word = 0; word < mask.Length; word++)
        {
            for (ulong rest = mask[word]; rest != 0; rest &= rest - 1)
            {
                tokens.Add((word << 6) + BitOperations.TrailingZeroCount(rest));
            }
        }

        return new([], [.. tokens], exits);
    }

    /// <summary>Sets the bits of its tokens.</summary>
    public void AddTo(ulong[] into)
    {
        foreach (int token in tokens)
        {
            into[token >> 6] |= 1UL << token;
        }

        if (mask.Length > 0)
        {
            TensorPrimitives.BitwiseOr(into, mask, into);
        }
    }
}
