using ILGPU;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>What the device can do at most: the figures over which those of all other rows are laid.</summary>
internal static class CeilingSuite
{
    public const string CopyName = "ceiling-copy";
    public const string Float32Name = "ceiling-float32";
    public const string Tf32Name = "ceiling-tf32";
    public const string BFloat16Name = "ceiling-bf16";

    private const int Threads = 256;

    // Of m16n8k8 and of m16n8k16, a multiply-add being two.
    private const double Tf32Operations = 2 * 16 * 8 * 8;
    private const double BFloat16Operations = 2 * 16 * 8 * 16;

    public static IEnumerable<Benchmark> Rows() =>
    [
        new(CopyName, "ceiling: copy, bytes read and written", Unit.GigabytesPerSecond, MeasureCopy),
        new(Float32Name, "ceiling: multiply-adds of float32", Unit.TeraFlops, bench => MeasureRate(bench, CeilingKernels.MultiplyAdds, 2.0 * CeilingKernels.Chains)),
        new(Tf32Name, "ceiling: matrix instructions of TF32 (mma.sync)", Unit.TeraFlops, bench => MeasureProducts(bench, CeilingKernels.Tf32Products, Tf32Operations)),
        new(BFloat16Name, "ceiling: matrix instructions of bfloat16 (mma.sync)", Unit.TeraFlops, bench => MeasureProducts(bench, CeilingKernels.BFloat16Products, BFloat16Operations)),
    ];

    private static Measurement MeasureCopy(Bench bench)
    {
        GpuSession session = bench.Session;
        int threads = Math.Min(Threads, session.Accelerator.MaxNumThreadsPerGroup), groups = bench.IsSmall ? 4 : 1 << 17;
        using DeviceMemory memory = new(session);
        CeilingKernels.CopyArguments arguments = new() { From = memory.Take<Float4>((long)groups * threads * 4), To = memory.Take<Float4>((long)groups * threads * 4) };
        Action<KernelConfig, CeilingKernels.CopyArguments> copy = session.Grouped<CeilingKernels.CopyArguments>(CeilingKernels.Copy, threads);
        double bytes = 2.0 * arguments.From.LengthInBytes;
        return new() { Seconds = bench.Time(_ => copy(new(groups, threads), arguments)), Amount = bytes, Bytes = bytes };
    }

    private static Measurement MeasureProducts(Bench bench, Action<CeilingKernels.RateArguments> kernel, double operations)
    {
        if (!bench.Session.IsFast)
        {
            throw new NotSupportedException("expected a GPU with matrix instructions, found none");
        }

        return MeasureRate(bench, kernel, operations * CeilingKernels.Tiles / bench.Session.Accelerator.WarpSize);
    }

    /// <param name="bench">Where it runs.</param>
    /// <param name="kernel">What runs.</param>
    /// <param name="operations">Operations of a thread in a turn.</param>
    private static Measurement MeasureRate(Bench bench, Action<CeilingKernels.RateArguments> kernel, double operations)
    {
        GpuSession session = bench.Session;
        int threads = Math.Min(2 * Threads, session.Accelerator.MaxNumThreadsPerGroup), groups = bench.IsSmall ? 1 : 2 * session.Accelerator.NumMultiprocessors, turns = bench.IsSmall ? 2 : 4096;
        using DeviceMemory memory = new(session);
        CeilingKernels.RateArguments arguments = new() { Result = memory.Take<float>(1), Factor = 0.5f, Turns = turns };
        Action<KernelConfig, CeilingKernels.RateArguments> run = session.Grouped(kernel, threads);
        double total = operations * turns * threads * groups;
        return new() { Seconds = bench.Time(_ => run(new(groups, threads), arguments)), Amount = total, Operations = total };
    }
}
