using System.Globalization;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>Through which interface a device is used.</summary>
public enum GpuKind
{
    /// <summary>An NVIDIA GPU, through its driver.</summary>
    Cuda,

    /// <summary>A device of an OpenCL platform.</summary>
    OpenCL,

    /// <summary>ILGPU's emulation on the processor: very slow, for tests on machines without a GPU.</summary>
    CpuAccelerator,
}

/// <summary>A device that a model can run on.</summary>
public sealed class GpuDevice
{
    internal GpuDevice(GpuKind kind, int index, string name, long memory, Version? computeCapability, bool isGpu, string? problem)
    {
        (Kind, Index, Name, Memory, ComputeCapability, IsGpu, Problem) = (kind, index, name, memory, computeCapability, isGpu, problem);
    }

    /// <summary>Through which interface it is used.</summary>
    public GpuKind Kind { get; }

    /// <summary>Its number among the devices of its kind, from 0.</summary>
    public int Index { get; }

    /// <summary>The name that its driver gives.</summary>
    public string Name { get; }

    /// <summary>Its memory in bytes; 0 where it has none of its own.</summary>
    public long Memory { get; }

    /// <summary>The generation of an NVIDIA GPU: 8.0 for Ampere, 9.0 for Hopper. Fast kernels need 8.0. Null for other devices.</summary>
    public Version? ComputeCapability { get; }

    /// <summary>What selects it: <c>cuda:0</c>, <c>opencl:1</c>, <c>cpu-accelerator</c>.</summary>
    public string Id => Kind == GpuKind.CpuAccelerator ? DeviceSelector.CpuAccelerator : string.Create(CultureInfo.InvariantCulture, $"{DeviceSelector.Word(Kind)}:{Index}");

    /// <summary>Whether it is a GPU, not a processor under OpenCL or an emulation.</summary>
    internal bool IsGpu { get; }

    /// <summary>Why it cannot be used, in one line; null where it can.</summary>
    internal string? Problem { get; }

    /// <summary>Every device of this machine, CUDA's first, the emulation last. Empty of GPUs where there is no driver.</summary>
    public static IReadOnlyList<GpuDevice> All() => DeviceList.Find();

    /// <summary>The device that a name selects.</summary>
    /// <param name="selector">
    /// <c>cuda</c> or <c>cuda:1</c>, <c>opencl</c> or <c>opencl:1</c>, <c>cpu-accelerator</c>; or <c>auto</c>: the first CUDA device, else the first
    /// GPU of OpenCL, never the emulation.
    /// </param>
    /// <exception cref="ArgumentException">The name is none of these.</exception>
    /// <exception cref="GpuException">There is no such device, or its driver is missing or too old.</exception>
    public static GpuDevice Find(string selector)
    {
        ArgumentNullException.ThrowIfNull(selector);
        return DeviceSelector.Parse(selector).Choose(All());
    }

    /// <summary>Name, memory and generation, for example <c>NVIDIA H200, 139.8 GiB, compute capability 9.0</c>; and why it cannot be used, where it cannot.</summary>
    public string Description
    {
        get
        {
            string memory = Memory == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", {Memory / (double)(1 << 30):F1} GiB");
            string capability = ComputeCapability is null ? "" : $", compute capability {ComputeCapability}";
            return $"{Name}{memory}{capability}{(Problem is null ? "" : $" (not usable: {Problem})")}";
        }
    }

    /// <summary>What selects it, and its description.</summary>
    public override string ToString() => $"{Id} {Description}";
}
