using System.Globalization;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>The devices of this machine as ILGPU finds them, and sessions on them.</summary>
internal static class DeviceList
{
    // The emulation runs each thread of a group on a thread of its own; plain kernels need no groups, and fewer threads cost less.
    private static readonly CPUDevice emulation = new(numThreadsPerWarp: 2, numWarpsPerMultiprocessor: 1, numMultiprocessors: 1);

    /// <summary>Every device, CUDA's first, the emulation last.</summary>
    public static IReadOnlyList<GpuDevice> Find()
    {
        NativeLibraries.Resolve();
        return
        [
            .. Cuda().Select((device, index) => Describe(device, index)),
            .. OpenCL().Select((device, index) => Describe(device, index)),
            new(GpuKind.CpuAccelerator, 0, "emulation on the processor", 0, null, isGpu: false, null),
        ];
    }

    /// <summary>Begins to use a device.</summary>
    /// <exception cref="GpuException">It is not there any more, or its driver refuses.</exception>
    /// <param name="device">One of <see cref="Find"/>.</param>
    /// <param name="cacheFolder">Where compiled kernels are kept; null for nowhere.</param>
    /// <param name="memoryLimit">The most bytes to take of its memory; 0 for all.</param>
    public static GpuSession Open(GpuDevice device, string? cacheFolder = null, long memoryLimit = 0)
    {
        NativeLibraries.Resolve();
        Context? context = null;
        try
        {
            context = CreateContext(device);
            return new(context, context.Devices[0].CreateAccelerator(context), cacheFolder, memoryLimit);
        }
        catch (Exception error) when (error is AcceleratorException or NotSupportedException or CapabilityNotSupportedException)
        {
            context?.Dispose();
            throw new GpuException($"expected {device} to start, found '{error.Message}'; see whether its driver works, and whether another process holds it", error);
        }
    }

    /// <summary>A context that compiles as all kernels expect it: optimized, with approximate functions, calls inlined.</summary>
    public static Context CreateContext(Action<Context.Builder> enable) => Context.Create(builder =>
    {
        builder.Optimize(OptimizationLevel.O2).Math(MathMode.Fast).EnableAlgorithms();
        enable(builder);
    });

    private static Context CreateContext(GpuDevice device)
    {
        int seen = 0;
        return CreateContext(builder => _ = device.Kind switch
        {
            GpuKind.Cuda => builder.Cuda(_ => seen++ == device.Index),
            GpuKind.OpenCL => builder.OpenCL(found => IsCorrected(found) && seen++ == device.Index),
            _ => builder.CPU(emulation),
        });
    }

    // Without a driver there are no devices, which is no error here.
    private static CudaDevice[] Cuda() => Devices(() => CudaDevice.GetDevices(_ => true).Cast<CudaDevice>());

    private static CLDevice[] OpenCL() => Devices(() => CLDevice.GetDevices(IsCorrected).Cast<CLDevice>());

    private static bool IsCorrected(CLDevice device)
    {
        PortableOpenCL.Correct(device);
        return true;
    }

    private static T[] Devices<T>(Func<IEnumerable<T>> find)
    {
        try
        {
            return [.. find()];
        }
        catch (Exception error) when (error is DllNotFoundException or EntryPointNotFoundException or AcceleratorException or NotSupportedException)
        {
            return [];
        }
    }

    private static GpuDevice Describe(CudaDevice device, int index)
    {
        Version? capability = device.Architecture is { } found ? new(found.Major, found.Minor) : null;
        string? problem = device.Architecture is null ? "its generation is unknown to this version of ILGPU; use another GPU or a newer version"
            : device.InstructionSet is null ? string.Create(CultureInfo.InvariantCulture, $"expected a newer driver, found one of CUDA {device.DriverVersion}, which is too old for this GPU; update the driver")
            : null;
        return new(GpuKind.Cuda, index, device.Name, device.MemorySize, capability, isGpu: true, problem);
    }

    private static GpuDevice Describe(CLDevice device, int index)
    {
        bool isUsable = device.Capabilities is CLCapabilityContext { GenericAddressSpace: true };
        bool isGpu = device.DeviceType.HasFlag(CLDeviceType.CL_DEVICE_TYPE_GPU);
        return new(
            GpuKind.OpenCL, index, device.Name, device.MemorySize, null, isGpu, isUsable ? null : "expected OpenCL with the generic address space, found a platform without it; update the platform");
    }
}
