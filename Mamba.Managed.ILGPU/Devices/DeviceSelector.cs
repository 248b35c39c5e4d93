using System.Globalization;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>Which device is meant.</summary>
/// <param name="Kind">Its kind; null for any GPU.</param>
/// <param name="Index">Its number among those of its kind.</param>
internal readonly record struct DeviceSelector(GpuKind? Kind, int Index)
{
    public const string CpuAccelerator = "cpu-accelerator";

    private const string Cuda = "cuda";
    private const string OpenCL = "opencl";
    private const string Auto = "auto";

    /// <summary>The word that selects a kind.</summary>
    public static string Word(GpuKind kind) => kind switch
    {
        GpuKind.Cuda => Cuda,
        GpuKind.OpenCL => OpenCL,
        _ => CpuAccelerator,
    };

    /// <summary>Reads <c>cuda</c>, <c>cuda:1</c>, <c>opencl</c>, <c>opencl:1</c>, <c>cpu-accelerator</c> or <c>auto</c>.</summary>
    /// <exception cref="ArgumentException">It is none of these.</exception>
    public static DeviceSelector Parse(string text)
    {
        string[] parts = text.Split(':', 2);
        int index = 0;
        bool isIndexed = parts.Length == 1 || (parts[0] is Cuda or OpenCL && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out index));
        return (isIndexed ? parts[0] : null) switch
        {
            Cuda => new(GpuKind.Cuda, index),
            OpenCL => new(GpuKind.OpenCL, index),
            CpuAccelerator => new(GpuKind.CpuAccelerator, 0),
            Auto => new(null, 0),
            _ => throw new ArgumentException($"expected cuda, cuda:N, opencl, opencl:N, {CpuAccelerator} or {Auto}, found '{text}'"),
        };
    }

    /// <summary>The device that is meant, among those of this machine.</summary>
    /// <exception cref="GpuException">It is not there or cannot be used.</exception>
    public GpuDevice Choose(IReadOnlyList<GpuDevice> devices)
    {
        GpuDevice chosen = Kind is null ? Any(devices) : Indexed([.. devices.Where(Kind == GpuKind.Cuda ? IsCuda : Kind == GpuKind.OpenCL ? IsOpenCL : IsEmulation)]);
        return chosen.Problem is null ? chosen : throw new GpuException($"{chosen.Id} {chosen.Name}: {chosen.Problem}");
    }

    private static GpuDevice Any(IReadOnlyList<GpuDevice> devices) =>
        devices.FirstOrDefault(device => device.Kind == GpuKind.Cuda && device.Problem is null)
        ?? devices.FirstOrDefault(device => device.Kind == GpuKind.OpenCL && device.IsGpu && device.Problem is null)
        ?? devices.FirstOrDefault(IsCuda)
        ?? throw new GpuException("expected a GPU with a CUDA or OpenCL driver, found none; install the driver, or run on the processor");

    private static bool IsCuda(GpuDevice device) => device.Kind == GpuKind.Cuda;

    private static bool IsOpenCL(GpuDevice device) => device.Kind == GpuKind.OpenCL;

    private static bool IsEmulation(GpuDevice device) => device.Kind == GpuKind.CpuAccelerator;

    private GpuDevice Indexed(GpuDevice[] found)
    {
        if (Index < found.Length)
        {
            return found[Index];
        }

        string remedy = Kind == GpuKind.Cuda
            ? "install the driver of NVIDIA, or pass the GPU into the container"
            : "install an OpenCL platform, libOpenCL.so.1 and its driver";
        throw new GpuException(found.Length == 0
            ? $"expected a device of {Word(Kind!.Value)}, found none; {remedy}"
            : string.Create(CultureInfo.InvariantCulture, $"expected {Word(Kind!.Value)}:0 to {Word(Kind.Value)}:{found.Length - 1}, found {Word(Kind.Value)}:{Index}"));
    }
}
