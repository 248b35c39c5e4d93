using System.Diagnostics;
using ILGPU;
using ILGPU.Runtime.CPU;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The float32 arithmetic of a device, outside of matrix instructions.</summary>
internal static class PeakArithmetic
{
    // Eight chains hide the latency of a multiply-add; items enough for every multiprocessor to be full.
    private const int Chains = 8;
    private const int Steps = 4096;
    private const int Items = 1 << 20;
    private const int EmulatedItems = 1 << 8;
    private const int Rounds = 5;

    /// <summary>Runs chains of multiply-adds in registers; operations, two each, in 10^9 a second.</summary>
    public static double Measure(GpuSession session)
    {
        int items = session.Accelerator is CPUAccelerator ? EmulatedItems : Items;
        using DeviceMemory memory = new(session);
        Arguments arguments = new() { Sums = memory.Take<float>(items), Factor = 0.999f, Term = 0.001f };
        double best = double.MaxValue;
        for (int round = -1; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            session.Plain<Arguments>(Multiply)(items, arguments);
            session.Synchronize();

            // The kernel is compiled in the first round.
            best = round < 0 ? best : Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return 2.0 * Chains * Steps * items / best / 1e9;
    }

    internal static void Multiply(Index1D item, Arguments p)
    {
        float x = p.Factor, y = p.Term, a = item, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5, g = a + 6, h = a + 7;
        for (int i = 0; i < Steps; i++)
        {
            a = (a * x) + y;
            b = (b * x) + y;
            c = (c * x) + y;
            d = (d * x) + y;
            e = (e * x) + y;
            f = (f * x) + y;
            g = (g * x) + y;
            h = (h * x) + y;
        }

        // The sum is stored, or the compiler could drop the chains.
        p.Sums[item] = a + b + c + d + e + f + g + h;
    }

    internal struct Arguments
    {
        public ArrayView<float> Sums;
        public float Factor;
        public float Term;
    }
}
