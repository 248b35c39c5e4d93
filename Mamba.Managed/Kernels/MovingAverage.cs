using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Moves averages towards values: average = average + share (value - average).</summary>
internal static unsafe class MovingAverage
{
    /// <summary>One step; every entry by itself, so the same bits however entries are shared out.</summary>
    /// <param name="average">[count]</param>
    /// <param name="value">[count]</param>
    /// <param name="share">How far to move, from 0 to 1.</param>
    /// <param name="count">How many entries.</param>
    public static void Run(float* average, float* value, float share, int count)
    {
        int i = InstructionSets.Current switch
        {
            InstructionSet.Avx512 => Run<Lanes512, Vector512<float>>(average, value, share, 0, count),
            InstructionSet.Avx2 => Run<Lanes256, Vector256<float>>(average, value, share, 0, count),
            InstructionSet.Vector128 => Run<Lanes128, Vector128<float>>(average, value, share, 0, count),
            _ => 0,
        };
        Run<LanesScalar, float>(average, value, share, i, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Run<L, V>(float* average, float* value, float share, int start, int count)
        where L : struct, ILanes<V>
    {
        V part = L.Broadcast(share);
        int i = start;
        for (; i + L.Count <= count; i += L.Count)
        {
            V before = L.Load(average + i);
            L.Store(average + i, L.MultiplyAdd(part, L.Subtract(L.Load(value + i), before), before));
        }

        return i;
    }
}
