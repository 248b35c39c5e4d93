using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Tests;

/// <summary>A device under test. What compiles slowly is kept for all tests that use its one session.</summary>
public sealed class TestDevice
{
    private readonly Func<GpuSession> open;
    private GpuSession? session;

    /// <param name="name">What tests call it.</param>
    /// <param name="selector">What <see cref="GpuDevice.Find"/> calls it.</param>
    /// <param name="open">Opens it, where a session of <see cref="GpuDevice"/> is not what is wanted.</param>
    internal TestDevice(string name, string selector, Func<GpuSession>? open = null)
    {
        (Name, Selector) = (name, selector);
        this.open = open ?? (() => DeviceList.Open(GpuDevice.Find(selector)));
    }

    public string Name { get; }

    /// <summary>What <see cref="GpuDevice.Find"/> calls it.</summary>
    public string Selector { get; }

    /// <summary>Whether the machine has it.</summary>
    internal bool Exists
    {
        get
        {
            try
            {
                _ = GpuDevice.Find(Selector);
                return true;
            }
            catch (GpuException)
            {
                return false;
            }
        }
    }

    /// <summary>The session that tests share. After a test in which the device failed, a new one: what comes later is not that test's victim.</summary>
    internal GpuSession Session => session is not null && IsWorking(session) ? session : session = open();

    public override string ToString() => Name;

    /// <summary>A session of the test's own, which disposes it.</summary>
    internal GpuSession Open() => open();

    private static bool IsWorking(GpuSession session)
    {
        try
        {
            session.RequireWorking();
            session.Accelerator.Synchronize();
            return true;
        }
        catch (Exception error) when (error is GpuException or AcceleratorException)
        {
            return false;
        }
    }
}
