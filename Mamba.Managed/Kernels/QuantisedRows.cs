using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Rows of activations as signed bytes, for products with weights that are integers themselves.</summary>
/// <remarks>
/// Inputs that share a scale in the weights share one here: x = scale q with |q| up to 127, so the error is at most 1/254 of a group's largest
/// entry. Rows are interleaved, <c>height</c> at a time, in the order in which a tile reads them, 4 bytes each:
/// <code>
/// per group:  | start x height | scale x height | shift x height | q0 .. q3 x height | q4 .. q7 x height | ...
/// as words:                                                      | q0, q2 x height | q1, q3 x height | q4, q6 x height | ...
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

    /// <summary>Numbers in front of a group, of each row.</summary>
    public const int HeadLength = 3;

    /// <summary>Numbers of 4 bytes that one row takes.</summary>
    public static int RowLength(int inputs, int groupLength, bool words) =>
        inputs / groupLength * (HeadLength + (groupLength / ICodePlanes.QuadLength * (words ? 2 : 1)));

    /// <summary>Converts rows.</summary>
    /// <param name="x">[rows, inputs], neighbouring inputs next to each other.</param>
    /// <param name="row">The first row.</param>
    /// <param name="count">How many rows; what lacks to a multiple of <paramref name="height"/> is filled up with zeros.</param>
    /// <param name="first">The first input.</param>
    /// <param name="depth">How many inputs: a multiple of <paramref name="groupLength"/>.</param>
    /// <param name="groupLength">16 or 32.</param>
    /// <param name="zero">The code of the weight 0.</param>
    /// <param name="height">Rows that are interleaved.</param>
    /// <param name="words">Whether entries become words instead of bytes.</param>
    /// <param name="to">[count rounded up, <see cref="RowLength"/>]</param>
    public static void Pack(MatrixView x, int row, int count, int first, int depth, int groupLength, int zero, int height, bool words, int* to)
    {
        int length = RowLength(depth, groupLength, words) * height;
        for (int i = 0; i < count; i += height, to += length)
        {
            if (count - i < height)
            {
                new Span<int>(to, length).Clear();
            }

            for (int j = 0; j < Math.Min(height, count - i); j++)
            {
                Row(x.At(row + i + j, first), depth, groupLength, zero, height, words, to + j);
            }
        }
    }

    private static void Row(float* x, int depth, int groupLength, int zero, int height, bool words, int* to)
    {
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                Row<Lanes512, Vector512<float>>(x, depth, groupLength, zero, height, words, to);
                break;
            case InstructionSet.Avx2:
                Row<Lanes256, Vector256<float>>(x, depth, groupLength, zero, height, words, to);
                break;
            case InstructionSet.Vector128:
                Row<Lanes128, Vector128<float>>(x, depth, groupLength, zero, height, words, to);
                break;
            default:
                Row<LanesScalar, float>(x, depth, groupLength, zero, height, words, to);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    private static void Row<L, V>(float* x, int depth, int groupLength, int zero, int height, bool words, int* to)
        where L : struct, ILanes<V>
    {
        float* numbers = stackalloc float[32];
        byte* bytes = (byte*)numbers;
        for (float* end = x + depth; x < end; x += groupLength)
        {
            // As integers magnitudes have the same order, and NaN is above infinity.
            V largest = L.Broadcast(0);
            for (int i = 0; i < groupLength; i += L.Count)
            {
                largest = L.MaxIntegers(largest, L.Abs(L.Load(x + i)));
            }

            float magnitude = BitConverter.Int32BitsToSingle(L.Largest(largest));
            float scale = magnitude < Least ? 0 : float.IsFinite(magnitude) ? magnitude / Most : float.NaN;
            V inverse = L.Broadcast(magnitude < Least ? 0 : Most / magnitude);
            V total = L.Broadcast(0);
            for (int i = 0; i < groupLength; i += L.Count)
            {
                V rounded = L.Add(L.Multiply(L.Load(x + i), inverse), L.Broadcast(Rounder));
                total = L.AddIntegers(total, rounded);
                if (words)
                {
                    L.Store(numbers + i, rounded);
                }
                else
                {
                    L.StoreBytes(bytes + i, rounded);
                }
            }

            // Each entry counts Rounder's bits too; what overflows comes back.
            int sum = L.Sum(total) - (groupLength * BitConverter.SingleToInt32Bits(Rounder));
            to[0] = -zero * sum;
            ((float*)to)[height] = scale;
            ((float*)to)[2 * height] = scale * sum;
            to += HeadLength * height;
            to = words ? Words((ulong*)numbers, groupLength, height, to) : Bytes((int*)bytes, groupLength, height, to);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int* Bytes(int* quads, int groupLength, int height, int* to)
    {
        for (int i = 0; i < groupLength; i += ICodePlanes.QuadLength, to += height)
        {
            *to = *quads++;
        }

        return to;
    }

    // The lowest words of each four numbers, two at a time: the first with the third and the second with the fourth.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int* Words(ulong* numbers, int groupLength, int height, int* to)
    {
        const ulong Lowest = 0x0000FFFF_0000FFFF;
        for (int i = 0; i < groupLength; i += ICodePlanes.QuadLength, numbers += 2, to += 2 * height)
        {
            ulong pairs = (numbers[0] & Lowest) | ((numbers[1] & Lowest) << 16);
            to[0] = (int)pairs;
            to[height] = (int)(pairs >> 32);
        }

        return to;
    }
}
