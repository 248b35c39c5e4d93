using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Activations quantized to signed bytes, for integer products with quantized weights.</summary>
/// <remarks>
/// Inputs that share a scale in the weights share one here: x = scale q with |q| up to 127, so the error is at most 1/254 of a group's largest
/// entry. A row is a sequence of 4-byte words:
/// <code>
/// per group:  | start | scale | shift | q0 .. q3 | q4 .. q7 | ...
/// as words:                           | q0, q1 | q2, q3 | ...
/// </code>
/// start initializes a sum of products of codes: -zero times the sum of q, which subtracts the zero point from every code. Up to a zero point of 32 it is
/// two 16-bit words, like the sums it initializes: one for q0 and q1 of each four, one for q2 and q3. Beyond, it is one 32-bit integer.
/// shift is scale times the sum of q, the factor of a group's minimum.
/// </remarks>
internal static unsafe class QuantizedActivations
{
    private const float Most = 127;

    // 1.5 x 2^23: adding it rounds a float to an integer, which is then in the low bits of the sum.
    private const float Rounder = 12582912f;

    // A group whose largest magnitude is below this becomes zeros; from here on Most / largest is finite.
    private const float Least = 1e-30f;

    // Up to this zero point a start fits 16-bit words: in groups of 16, 8 entries of at most 127 x 32; in groups of 32, 16 entries of at most 127 x 16.
    private const int LargestWordZero = 32;

    // The scales of this many groups are computed before the first group is converted, to hide the latency of the divisions.
    private const int GroupsAtOnce = 32;

    /// <summary>Words in front of the entries of a group.</summary>
    public const int HeadLength = 3;

    /// <summary>4-byte words of one row.</summary>
    public static int RowLength(int inputs, int groupLength, bool words) =>
        inputs / groupLength * (HeadLength + (groupLength / ICodePlanes.QuadLength * (words ? 2 : 1)));

    /// <summary>Quantizes rows.</summary>
    /// <param name="x">[rows, inputs] with contiguous columns.</param>
    /// <param name="row">The first row.</param>
    /// <param name="count">How many rows.</param>
    /// <param name="first">The first input.</param>
    /// <param name="depth">How many inputs: a multiple of <paramref name="groupLength"/>.</param>
    /// <param name="groupLength">16 or 32.</param>
    /// <param name="zero">The zero point of the weights: the code of the weight 0.</param>
    /// <param name="words">Whether entries become 16-bit words instead of bytes.</param>
    /// <param name="to">[count, <see cref="RowLength"/>]</param>
    public static void Pack(MatrixView x, int row, int count, int first, int depth, int groupLength, int zero, bool words, int* to)
    {
        Debug.Assert(groupLength is 16 or 32 && depth % groupLength == 0, "no whole groups");
        Debug.Assert(x.ColumnPitch == 1 && row >= 0 && row + count <= x.Rows && first >= 0 && first + depth <= x.Columns, "inputs outside x");
        for (int i = 0; i < count; i++, to += RowLength(depth, groupLength, words))
        {
            Widths.Run(new RowKernel(x.At(row + i, first), depth, groupLength, zero, words, to));
        }
    }

    /// <summary>Quantizes rows as <see cref="Pack"/> does and interleaves those of a tile: [tiles, <see cref="RowLength"/>, 6]; missing rows are zero.</summary>
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

            // 16-bit entries go with signed codes, which need neither start nor shift. A group of 16 bytes is one vector of 128 bits.
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
            // The bits of magnitudes, compared as integers, have the order of the magnitudes, with NaN above infinity.
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

    // Start and shift. A pass of its own, long after the entries were stored: a wide load just after narrow stores to the same bytes cannot be forwarded
    // and stalls (store forwarding).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sums<L, V>(int count, int groupLength, int zero, int pitch, int* to)
        where L : struct, ILanes<V>
    {
        // With the sign bit flipped, bytes are unsigned, and both 16-bit sums of a lane can be added as one integer without a borrow between them.
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
