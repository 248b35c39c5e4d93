using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Sums whose order does not depend on the vector width: entry i is added to lane i mod 16, then the 16 lanes are added in a fixed tree.</summary>
internal static unsafe class VirtualLanes
{
    /// <summary>Lanes of a sum.</summary>
    public const int Count = 16;

    /// <summary>The sum of x y, or of x y weight.</summary>
    /// <param name="x">[count]</param>
    /// <param name="y">[count]</param>
    /// <param name="weight">[count] or null.</param>
    /// <param name="count">How many entries.</param>
    public static float Dot(float* x, float* y, float* weight, int count)
    {
        Debug.Assert(count >= 0 && (count == 0 || (x is not null && y is not null)), "no entries");
        float* lanes = stackalloc float[Count];
        int whole = count - (count % Count);
        Widths.Run(new DotKernel(x, y, weight, whole, lanes));
        for (int i = whole; i < count; i++)
        {
            lanes[i - whole] = MathF.FusedMultiplyAdd(weight is null ? y[i] : y[i] * weight[i], x[i], lanes[i - whole]);
        }

        return Sum(lanes);
    }

    /// <summary>The sum of 16 lanes: the upper half is added to the lower until one lane is left.</summary>
    public static float Sum(float* lanes)
    {
        Vector128<float> low = Vector128.Load(lanes) + Vector128.Load(lanes + 8);
        Vector128<float> high = Vector128.Load(lanes + 4) + Vector128.Load(lanes + 12);
        Vector128<float> four = low + high;
        return (four[0] + four[2]) + (four[1] + four[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot<L, V>(float* x, float* y, float* weight, int count, float* lanes)
        where L : struct, ILanes<V>
    {
        for (int lane = 0; lane < Count; lane += L.Count)
        {
            V sum = L.Broadcast(0);
            for (int i = lane; i < count; i += Count)
            {
                V value = L.Load(y + i);
                value = weight is null ? value : L.Multiply(value, L.Load(weight + i));
                sum = L.MultiplyAdd(value, L.Load(x + i), sum);
            }

            L.Store(lanes + lane, sum);
        }
    }

    private readonly struct DotKernel(float* x, float* y, float* weight, int count, float* lanes) : IKernel
    {
        public void Run<L, V>()
            where L : struct, ILanes<V> => Dot<L, V>(x, y, weight, count, lanes);
    }
}
