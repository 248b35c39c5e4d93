using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Exponential moving average: average = average + share (value - average).</summary>
internal static unsafe class MovingAverage
{
    /// <summary>One step. Entries are independent, so the bits do not depend on how they are split among threads.</summary>
    /// <param name="average">[count]</param>
    /// <param name="value">[count]</param>
    /// <param name="share">How far to move, from 0 to 1.</param>
    /// <param name="count">How many entries.</param>
    public static void Run(float* average, float* value, float share, int count) => Widths.Run(new Kernel(average, value, share), 0, count);

    private readonly struct Kernel(float* average, float* value, float share) : IRangeKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int Run<L, V>(int start, int end)
            where L : struct, ILanes<V>
        {
            V part = L.Broadcast(share);
            int i = start;
            for (; i + L.Count <= end; i += L.Count)
            {
                V before = L.Load(average + i);
                L.Store(average + i, L.MultiplyAdd(part, L.Subtract(L.Load(value + i), before), before));
            }

            return i;
        }
    }
}
