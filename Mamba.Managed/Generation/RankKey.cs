namespace Mamba.Managed.Generation;

/// <summary>A weight and a token id in one 64-bit key; ascending keys order tokens by descending weight, then by ascending id.</summary>
internal static class RankKey
{
    /// <summary>The key of a token.</summary>
    /// <param name="weight">Positive or zero: the bits of such floats, as integers, have the order of the floats.</param>
    /// <param name="token">The id.</param>
    public static ulong Of(float weight, int token) => ((ulong)~BitConverter.SingleToUInt32Bits(weight) << 32) | (uint)token;

    /// <summary>The key of a token by its logit, of either sign.</summary>
    public static ulong OfLogit(float logit, int token)
    {
        // The bits of negative floats have the reverse order: all are inverted. The sign bit is set for positive floats, which places them above.
        uint bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        uint ordered = (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
        return ((ulong)~ordered << 32) | (uint)token;
    }

    /// <summary>The id in a key.</summary>
    public static int TokenOf(ulong key) => (int)(uint)key;

    /// <summary>Moves the first <paramref name="count"/> keys, or all where there are fewer, to the front, in order, and returns them.</summary>
    public static Span<ulong> SortFirst(Span<ulong> keys, int count)
    {
        count = Math.Min(count, keys.Length);
        Select(keys, count);
        Span<ulong> first = keys[..count];
        first.Sort();
        return first;
    }

    // Hoare's quickselect: afterwards no key of the first `count` is above one of the rest. Keys are unique.
    private static void Select(Span<ulong> keys, int count)
    {
        while (keys.Length > 1 && count > 0 && count < keys.Length)
        {
            ulong pivot = Middle(keys[0], keys[keys.Length / 2], keys[^1]);
            int low = 0, high = keys.Length - 1;
            while (low <= high)
            {
                while (keys[low] < pivot)
                {
                    low++;
                }

                while (keys[high] > pivot)
                {
                    high--;
                }

                if (low <= high)
                {
                    (keys[low], keys[high]) = (keys[high], keys[low]);
                    low++;
                    high--;
                }
            }

            if (count <= high)
            {
                keys = keys[..(high + 1)];
            }
            else if (count > low)
            {
                keys = keys[low..];
                count -= low;
            }
            else
            {
                return;
            }
        }
    }

    private static ulong Middle(ulong a, ulong b, ulong c) => Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
}
