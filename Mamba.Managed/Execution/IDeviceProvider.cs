using System.Diagnostics.CodeAnalysis;
using Mamba.Managed.Models;

namespace Mamba.Managed.Execution;

/// <summary>An optional assembly's devices: how a program that does not reference it finds them and runs models there.</summary>
/// <remarks>
/// An assembly names its provider by <see cref="DeviceProviderAttribute"/>. A program loads the assembly by name, reads the attribute and makes the
/// provider; this library loads nothing.
/// </remarks>
public interface IDeviceProvider
{
    /// <summary>Every device of this machine; empty where there is none or no driver.</summary>
    IReadOnlyList<ComputeDevice> Devices { get; }

    /// <summary>Copies a model to a device and prepares it there. The model and its file are not needed afterwards.</summary>
    /// <param name="model">The weights, of any floating-point type.</param>
    /// <param name="device">The <see cref="ComputeDevice.Id"/> of a device, or what else the provider understands: a kind of device, or any.</param>
    /// <exception cref="ArgumentException">The provider does not understand <paramref name="device"/>, or the model does not fit its configuration.</exception>
    /// <exception cref="Exception">There is no such device, or it fails, in an exception of the provider's own with a message of one line.</exception>
    IMambaExecutor CreateExecutor(MambaLanguageModel model, string device);

    /// <summary>Measures what a device allows, for comparison with work measured in the same run.</summary>
    /// <param name="device">As for <see cref="CreateExecutor"/>.</param>
    /// <exception cref="ArgumentException">The provider does not understand <paramref name="device"/>.</exception>
    DevicePeak MeasurePeak(string device);
}

/// <summary>A device that a model can run on.</summary>
/// <param name="Id">What selects it: <c>cuda:0</c>.</param>
/// <param name="Description">Its name, memory and generation, in one line.</param>
public sealed record ComputeDevice(string Id, string Description);

/// <summary>The measured peak of a device.</summary>
/// <param name="CopyGigabytesPerSecond">Bytes read and written by a copy within its memory, in 10^9 a second; the ceiling of decode.</param>
/// <param name="FmaGigaflopsPerSecond">Float32 operations of fused multiply-adds, two each, in 10^9 a second.</param>
public sealed record DevicePeak(double CopyGigabytesPerSecond, double FmaGigaflopsPerSecond);

/// <summary>Names the <see cref="IDeviceProvider"/> of an assembly.</summary>
/// <param name="provider">A class that implements it, with a constructor without parameters.</param>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class DeviceProviderAttribute(
    [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] Type provider) : Attribute
{
    /// <summary>A class that implements <see cref="IDeviceProvider"/>, with a constructor without parameters.</summary>
    [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)]
    public Type Provider { get; } = provider;
}
