using System.Diagnostics;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The memory bandwidth of a device.</summary>
internal static class PeakBandwidth
{
    // Far larger than any cache of a GPU; the emulation would only measure the processor's copy.
    private const long Bytes = 1L << 29;
    private const long EmulatedBytes = 1L << 26;
    private const int Copies = 10;

    /// <summary>Copies a buffer within the device's memory; gigabytes read and written, in 10^9 a second.</summary>
    public static double Measure(GpuSession session)
    {
        long length = (session.Accelerator is CPUAccelerator ? EmulatedBytes : Math.Min(Bytes, session.Accelerator.MemorySize / 8)) / sizeof(float);
        using DeviceMemory memory = new(session);
        var (from, to) = (memory.Take<float>(length), memory.Take<float>(length));
        from.CopyTo(session.Stream, to);
        session.Synchronize();
        double best = double.MaxValue;
        for (int i = 0; i < Copies; i++)
        {
            long start = Stopwatch.GetTimestamp();
            from.CopyTo(session.Stream, to);
            session.Synchronize();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return 2 * length * sizeof(float) / best / 1e9;
    }
}
