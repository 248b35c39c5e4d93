using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Rows of activations as signed bytes, for products with weights that are integers themselves.</summary>
/// <remarks>
/// Inputs that share a scale in the weights share one here: x = scale q with |q| up to 127, so the error is at most 1/254 of a group's largest
/// entry. A row is a run of numbers of 4 bytes:
/// <code>
/// per group:  | start | scale | shift | q0 .. q3 | q4 .. q7 | ...
/// as words:                           | q0, q1 | q2, q3 | ...
/// </code>
/// start is where a sum of products begins: -zero times the sum of q. Up to a zero of 32 it is two words, as the products of bytes are, one for
/// q0 and q1 of each four and one for q2 and q3; beyond it is one integer. shift is scale times the sum, what a minimum is multiplied by.
/// </remarks>
internal static unsafe class QuantizedActivations
{
    private const float Most = 127;

    // Adding this rounds to a whole number and leaves it in the lowest bits.
    private const float Rounder = 12582912f;

    // Below this a group counts as zeros; above it, Most / largest is finite.
    private const float Least = 1e-30f;

    // Up to this zero a start fits words: 8 entries of at most 127 times 32, and in groups of 32, with zeros up to 16, 16 of them.
    private const int LargestWordZero = 32;

    // Groups whose scales are found before the first of them is converted: a division is too long to wait for.
    private const int GroupsAtOnce = 32;

    /// <summary>Numbers in front of a group.</summary>
    public const int HeadLength = 3;

    /// <summary>Numbers of 4 bytes that one row takes.</summary>
    public static int RowLength(int inputs, int groupLength, bool words) =>
        inputs / groupLength * (HeadLength + (groupLength / ICodePlanes.QuadLength * (words ? 2 : 1)));

    /// <summary>Converts rows.</summary>
    /// <param name="x">[rows, inputs], neighboring inputs next to each other.</param>
    /// <param name="row">The first row.</param>
    /// <param name="count">How many rows.</param>
    /// <param name="first">The first input.</param>
    /// <param name="depth">How many inputs: a multiple of <paramref name="groupLength"/>.</param>
    /// <param name="groupLength">16 or 32.</param>
    /// <param name="zero">The code of the weight 0.</param>
    /// <param name="words">Whether entries become words instead of bytes.</param>
    /// <param name="to">[count, <see cref="RowLength"/>]</param>
    public static void Pack(MatrixView x, int row, int count, int first, int depth, int groupLength, int zero, bool words, int* to)
    {
        for (int i = 0; i < count; i++, to += RowLength(depth, groupLength, words))
        {
            Widths.Run(new RowKernel(x.At(row + i, first), depth, groupLength, zero, words, to));
        }
    }

    /// <summary>Converts rows as <see cref="Pack"/>, and puts a tile's side by side: [tiles, <see cref="RowLength"/>, 6], what lacks zero.</summary>
    [SkipLocalsInit]
    public static void PackTiles(MatrixView x, int row, int count, int first, int depth, int groupLength, int zero, bool words, int* to)
    {
        const int Height = QuantizedGemm.TileRows;
        int length = RowLength(depth, groupLength, words);
        int* rows = stackalloc int[Height * length];
        for (int i = 0; i < count; i += Height, to += Height * length)
        {
            int found = Math.Min(Height, count - i);
            Pack(x, row + i, found, first, depth, groupLength, zero, words, rows);
            new Span<int>(rows + (found * length), (Height - found) * length).Clear();
            GemmPacking.Interleave((float*)rows, length, 1, Height, length, (float*)to, Height);
        }
    }

    private readonly struct RowKernel(float* x, int depth, int groupLength, int zero, bool words, int* to) : IKernel
    {
        public void Run<L, V>()
            where L : struct, ILanes<V> => Row<L, V>(x, depth, groupLength, zero, words, to);
    }

    [SkipLocalsInit]
    private static void Row<L, V>(float* x, int depth, int groupLength, int zero, bool words, int* to)
        where L : struct, ILanes<V>
    {
        float* inverses = stackalloc float[GroupsAtOnce];
        int length = RowLength(groupLength, groupLength, words);
        for (int groups = depth / groupLength; groups > 0; groups -= GroupsAtOnce)
        {
            int count = Math.Min(groups, GroupsAtOnce);
            Scales<L, V>(x, count, groupLength, length, inverses, (float*)to + 1);
            Groups<L, V>(x, count, groupLength, words, length, inverses, to + HeadLength);

            // Words go with signed codes, which have neither a zero nor a minimum. The smallest group is a narrow vector of bytes.
            if (!words && L.Count > Lanes128.Count)
            {
                Sums<Lanes128, Vector128<float>>(count, groupLength, zero, length, to);
            }
            else if (!words)
            {
                Sums<L, V>(count, groupLength, zero, length, to);
            }

            x += count * groupLength;
            to += count * length;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scales<L, V>(float* x, int count, int groupLength, int pitch, float* inverses, float* scales)
        where L : struct, ILanes<V>
    {
        for (int group = 0; group < count; group++, x += groupLength, scales += pitch)
        {
            // As integers magnitudes have the same order, and NaN is above infinity.
            V largest = L.Broadcast(0);
            for (int i = 0; i < groupLength; i += L.Count)
            {
                largest = L.MaxIntegers(largest, L.Abs(L.Load(x + i)));
            }

            float magnitude = BitConverter.Int32BitsToSingle(L.Largest(largest));
            *scales = magnitude < Least ? 0 : float.IsFinite(magnitude) ? magnitude / Most : float.NaN;
            inverses[group] = magnitude < Least ? 0 : Most / magnitude;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Groups<L, V>(float* x, int count, int groupLength, bool words, int pitch, float* inverses, int* to)
        where L : struct, ILanes<V>
    {
        for (int group = 0; group < count; group++, x += groupLength, to += pitch)
        {
            V inverse = L.Broadcast(inverses[group]);
            for (int i = 0; i < groupLength; i += L.Count)
            {
                V rounded = L.Add(L.Multiply(L.Load(x + i), inverse), L.Broadcast(Rounder));
                if (words)
                {
                    L.StoreWords((ushort*)to + i, rounded);
                }
                else
                {
                    L.StoreBytes((byte*)to + i, rounded);
                }
            }
        }
    }

    // Start and shift, from bytes that were stored a while ago: so soon after they are written one by one, reading several at once would wait.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sums<L, V>(int count, int groupLength, int zero, int pitch, int* to)
        where L : struct, ILanes<V>
    {
        // Bytes become positive, so that the two sums of a number add up side by side without a borrow.
        const byte SignBit = 0x80;
        int offset = groupLength / 2 * SignBit;
        V ones = L.Broadcast(BitConverter.Int32BitsToSingle(0x01010101));
        for (int group = 0; group < count; group++, to += pitch)
        {
            float* entries = (float*)(to + HeadLength);
            V pairs = L.Broadcast(0);
            for (int i = 0; i < groupLength / sizeof(int); i += L.Count)
            {
                pairs = L.AddIntegers(pairs, L.MultiplyAddBytes(L.FlipBytes(L.Load(entries + i), SignBit), ones));
            }

            int both = L.Sum(pairs), low = (both & 0xFFFF) - offset, high = (both >> 16) - offset;
            to[0] = zero > LargestWordZero ? -zero * (low + high) : (ushort)(-zero * low) | (-zero * high << 16);
            ((float*)to)[2] = ((float*)to)[1] * (low + high);
        }
    }
}
