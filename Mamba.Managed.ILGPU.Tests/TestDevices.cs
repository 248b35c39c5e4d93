using ILGPU.Runtime.CPU;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Tests;

/// <summary>The devices on which the tests run: sources of fixtures, as in <c>[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]</c>.</summary>
/// <remarks>
/// The environment variable MAMBA_TEST_DEVICE names the only one that is wanted: cpu, cuda or opencl. One that is named and not there fails the tests
/// rather than leaving none.
/// </remarks>
public static class TestDevices
{
    private const string Warps = "cpu-warps";

    private static readonly TestDevice[] Known =
        [new("cpu", DeviceSelector.CpuAccelerator), new(Warps, DeviceSelector.CpuAccelerator, OpenWarps), new("cuda", "cuda"), new("opencl", "opencl")];

    private static readonly TestDevice[] Wanted = Environment.GetEnvironmentVariable("MAMBA_TEST_DEVICE") is { } wanted
        ? [.. Known.Where(device => device.Name.Split('-')[0] == wanted)]
        : [.. Known.Where(device => device.Exists)];

    /// <summary>Every device: ILGPU's emulation on the processor, and CUDA and OpenCL where the machine has them.</summary>
    public static IEnumerable<TestDevice> All => Wanted.Where(device => device.Name != Warps);

    /// <summary>NVIDIA GPUs of the Ampere generation or later: none on most machines, where the fixtures of this source have no tests.</summary>
    public static IEnumerable<TestDevice> Fast => Wanted.Where(device => device.Name == "cuda" && device.Session.IsFast);

    /// <summary>Devices whose warps have 32 threads, for kernels that exchange values within a warp: CUDA, and emulation, which is very slow.</summary>
    public static IEnumerable<TestDevice> WithWarps => Wanted.Where(device => device.Name is Warps or "cuda");

    private static GpuSession OpenWarps()
    {
        CPUDevice device = new(numThreadsPerWarp: 32, numWarpsPerMultiprocessor: 8, numMultiprocessors: 1);
        global::ILGPU.Context context = DeviceList.CreateContext(builder => builder.CPU(device));
        return new(context, device.CreateAccelerator(context));
    }
}
