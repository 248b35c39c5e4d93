using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Training;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

[assembly: DeviceProvider(typeof(DeviceProvider))]

namespace Mamba.Managed.ILGPU;

/// <summary>The devices of ILGPU, for programs that load this assembly by name.</summary>
public sealed class DeviceProvider : ITrainingDeviceProvider
{
    /// <inheritdoc/>
    public IReadOnlyList<ComputeDevice> Devices => [.. GpuDevice.All().Select(device => new ComputeDevice(device.Id, device.Description))];

    /// <inheritdoc/>
    /// <remarks>See <see cref="GpuDevice.Find"/> for what selects a device.</remarks>
    public IMambaExecutor CreateExecutor(MambaLanguageModel model, string device) => GpuExecutor.Create(model, GpuDevice.Find(device));

    /// <inheritdoc/>
    public ITrainingEngine CreateTrainingEngine(MambaLanguageModel model, TrainerOptions options, string device) =>
        new GpuTrainingEngine(model, options, GpuDevice.Find(device));

    /// <inheritdoc/>
    public DevicePeak MeasurePeak(string device)
    {
        using GpuSession session = DeviceList.Open(GpuDevice.Find(device), KernelCache.DefaultFolder);
        return new(PeakBandwidth.Measure(session), PeakArithmetic.Measure(session));
    }
}
