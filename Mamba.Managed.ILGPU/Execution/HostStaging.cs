using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>Memory of the host between the caller's and the device's. The driver has locked its pages, so that copies run at the full speed of the bus.</summary>
/// <param name="session">The device.</param>
/// <param name="length">How many numbers.</param>
internal sealed class HostStaging<T>(GpuSession session, long length) : IDisposable
    where T : unmanaged
{
    private readonly PageLockedArray1D<T> memory = session.Accelerator.AllocatePageLocked1D<T>(length);

    /// <summary>The numbers, to be written once copies from them are done.</summary>
    public Span<T> Span => memory.Span;

    /// <summary>Sends the first numbers. Asynchronous: they may be overwritten after the session was synchronized.</summary>
    public void Send(ArrayView<T> target)
    {
        if (target.Length > 0)
        {
            target.CopyFromCPUUnsafeAsync(session.Stream, ref memory.Span[0], target.Length);
        }
    }

    /// <summary>Fetches numbers. Asynchronous: they are there after the session was synchronized.</summary>
    public void Fetch(ArrayView<T> source)
    {
        if (source.Length > 0)
        {
            source.CopyToCPUUnsafeAsync(session.Stream, ref memory.Span[0], source.Length);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => session.Free(memory);
}
