using System.Reflection;
using Mamba.Managed.Execution;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>The assembly that knows other devices than the processor. It is loaded only where one is asked for, so that no other command waits for it.</summary>
internal static class DevicePlugin
{
    private const string Name = "Mamba.Managed.ILGPU";

    /// <summary>Loads it.</summary>
    /// <exception cref="InvalidOperationException">This build of the command has none.</exception>
    public static ITrainingDeviceProvider Load()
    {
        try
        {
            DeviceProviderAttribute? named = Assembly.Load(Name).GetCustomAttribute<DeviceProviderAttribute>();
            return (ITrainingDeviceProvider)Activator.CreateInstance(named!.Provider)!;
        }
        catch (Exception error) when (error is IOException or BadImageFormatException or PlatformNotSupportedException)
        {
            throw new InvalidOperationException($"expected {Name} beside the command, found a build without it; use the command as a .NET tool, or --device {DeviceOption.Processor}", error);
        }
    }
}
