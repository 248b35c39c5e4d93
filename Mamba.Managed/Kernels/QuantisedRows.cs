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
/// start is -zero times the sum of q, an integer, and shift is scale times that sum, what a minimum is multiplied by.
/// </remarks>
internal static unsafe class QuantisedRows
{
    private const float Most = 127;

    // Adding this rounds to a whole number and leaves it in the lowest bits.
    private const float Rounder = 12582912f;

    // Below this a group counts as zeros; above it, Most / largest is finite.
    private const float Least = 1e-30f;

    // Groups whose scales are found before the first of them is converted: a division is too long to wait for.
    private const int GroupsAtOnce = 32;

    /// <summary>Numbers in front of a group.</summary>
    public const int HeadLength = 3;

    /// <summary>Numbers of 4 bytes that one row takes.</summary>
    public static int RowLength(int inputs, int groupLength, bool words) =>
        inputs / groupLength * (HeadLength + (groupLength / ICodePlanes.QuadLength * (words ? 2 : 1)));

    /// <summary>Converts rows.</summary>
    /// <param name="x">[rows, inputs], neighbouring inputs next to each other.</param>
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
            Row(x.At(row + i, first), depth, groupLength, zero, words, to);
        }
    }

    /// <summary>Converts rows as <see cref="Pack"/>, and puts a tile's side by side: [tiles, <see cref="RowLength"/>, 6], what lacks zero.</summary>
    [SkipLocalsInit]
    public static void PackTiles(MatrixView x, int row, int count, int first, int depth, int groupLength, int zero, bool words, int* to)
    {
        const int Height = IntegerProduct.TileRows;
        int length = RowLength(depth, groupLength, words);
        int* rows = stackalloc int[Height * length];
        for (int i = 0; i < count; i += Height, to += Height * length)
        {
            int found = Math.Min(Height, count - i);
            Pack(x, row + i, found, first, depth, groupLength, zero, words, rows);
            new Span<int>(rows + (found * length), (Height - found) * length).Clear();
            ProductPacking.Interleave((float*)rows, length, 1, Height, length, (float*)to, Height);
        }
    }

    private static void Row(float* x, int depth, int groupLength, int zero, bool words, int* to)
    {
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                Row<Lanes512, Vector512<float>>(x, depth, groupLength, zero, words, to);
                break;
            case InstructionSet.Avx2:
                Row<Lanes256, Vector256<float>>(x, depth, groupLength, zero, words, to);
                break;
            case InstructionSet.Vector128:
                Row<Lanes128, Vector128<float>>(x, depth, groupLength, zero, words, to);
                break;
            default:
                Row<LanesScalar, float>(x, depth, groupLength, zero, words, to);
                break;
        }
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
            Groups<L, V>(x, count, groupLength, zero, words, length, inverses, to);
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
    private static void Groups<L, V>(float* x, int count, int groupLength, int zero, bool words, int pitch, float* inverses, int* to)
        where L : struct, ILanes<V>
    {
        for (int group = 0; group < count; group++, x += groupLength, to += pitch)
        {
            V inverse = L.Broadcast(inverses[group]), total = L.Broadcast(0);
            byte* entries = (byte*)(to + HeadLength);
            for (int i = 0; i < groupLength; i += L.Count)
            {
                V rounded = L.Add(L.Multiply(L.Load(x + i), inverse), L.Broadcast(Rounder));
                total = L.AddIntegers(total, rounded);
                if (words)
                {
                    L.StoreWords((ushort*)entries + i, rounded);
                }
                else
                {
                    L.StoreBytes(entries + i, rounded);
                }
            }

            // Each entry counts Rounder's bits too; what overflows comes back.
            int sum = L.Sum(total) - (groupLength * BitConverter.SingleToInt32Bits(Rounder));
            to[0] = -zero * sum;
            ((float*)to)[2] = ((float*)to)[1] * sum;
        }
    }
}
