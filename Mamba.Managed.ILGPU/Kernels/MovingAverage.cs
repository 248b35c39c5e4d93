using ILGPU;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Exponential moving average: average = average + share (value - average).</summary>
internal static class MovingAverage
{
    private const long Launch = 1 << 30;

    /// <summary>One step; one work item an entry.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="averages">Moved towards the values.</param>
    /// <param name="values">As many.</param>
    /// <param name="share">How far to move, from 0 to 1.</param>
    public static void Run(GpuSession session, ArrayView<float> averages, ArrayView<float> values, float share)
    {
        if (averages.Length != values.Length)
        {
            throw new ArgumentException($"moving average: expected {values.Length} averages, found {averages.Length}");
        }

        for (long start = 0; start < values.Length; start += Launch)
        {
            int length = (int)Math.Min(Launch, values.Length - start);
            session.Plain<Arguments>(Entry)(length, new() { Averages = averages.SubView(start, length), Values = values.SubView(start, length), Share = share });
        }
    }

    private static void Entry(Index1D i, Arguments p)
    {
        float before = p.Averages[i];
        p.Averages[i] = before + (p.Share * (p.Values[i] - before));
    }

    internal struct Arguments
    {
        public ArrayView<float> Averages;
        public ArrayView<float> Values;
        public float Share;
    }
}
