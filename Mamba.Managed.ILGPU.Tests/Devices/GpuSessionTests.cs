using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Devices;

/// <summary>Memory is limited and given back; kernels are compiled once, on any thread.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class GpuSessionTests(TestDevice device)
{
    [Test]
    public void Memory_beyond_the_limit_is_refused_by_name_and_what_was_taken_is_free_again()
    {
        using GpuSession session = DeviceList.Open(GpuDevice.Find(device.Selector), memoryLimit: 1 << 20);
        DeviceMemory memory = new(session);
        memory.Take<float>(200_000);
        Assert.That(
            () => memory.Take<float>(100_000),
            Throws.TypeOf<GpuException>().With.Message.Contains("expected 0.4 MiB of memory").And.Message.Contains("found 0.2 MiB free within the limit of 1.0 MiB"));
        memory.Dispose();
        Assert.That(memory.Take<float>(250_000).Length, Is.EqualTo(250_000));
        memory.Dispose();
    }

    [Test]
    public void More_memory_than_the_device_has_is_refused_and_the_session_lives()
    {
        using GpuSession session = device.Open();
        Assert.That(() => session.Allocate<float>(1L << 44), Throws.TypeOf<GpuException>().With.Message.Contains("MiB free"));
        using MemoryBuffer1D<float, Stride1D.Dense> buffer = session.Allocate<float>(1000);
        Assert.That(buffer.Length, Is.EqualTo(1000));
    }

    [Test]
    public void Parts_of_a_buffer_are_cleared()
    {
        GpuSession session = device.Session;
        float[] values = [.. Enumerable.Repeat(1f, 100)];
        using MemoryBuffer1D<float, Stride1D.Dense> buffer = session.Allocate<float>(values.Length);
        buffer.View.CopyFromCPU(session.Stream, values);
        session.Clear(((ArrayView<float>)buffer.View).SubView(30, 50));
        session.Synchronize();
        Assert.That(buffer.GetAsArray1D(session.Stream), Is.EqualTo(values.Select((_, i) => i is >= 30 and < 80 ? 0f : 1f)));
    }

    [Test]
    public void A_rehearsal_runs_nothing_and_leaves_its_kernels_compiled()
    {
        using GpuSession session = device.Open();
        using MemoryBuffer1D<float, Stride1D.Dense> buffer = session.Allocate<float>(10);
        session.Clear(buffer.View);
        session.Rehearse(() => Fill(session, buffer)).Wait();
        session.Synchronize();
        Assert.That(buffer.GetAsArray1D(session.Stream), Is.All.Zero);
        Fill(session, buffer);
        session.Synchronize();
        Assert.That(buffer.GetAsArray1D(session.Stream), Is.All.EqualTo(7));
    }

    [Test]
    public void Kernels_are_asked_for_by_several_threads()
    {
        using GpuSession session = device.Open();
        Action<int, Filling>[] found = new Action<int, Filling>[8];
        Parallel.For(0, found.Length, i => found[i] = session.Plain<Filling>(FillKernel));
        Assert.That(found.Distinct().Count(), Is.EqualTo(1));
    }

    internal static void FillKernel(Index1D i, Filling filling) => filling.Values[i] = 7;

    private static void Fill(GpuSession session, MemoryBuffer1D<float, Stride1D.Dense> buffer) =>
        session.Plain<Filling>(FillKernel)((int)buffer.Length, new() { Values = buffer.View });

    internal struct Filling
    {
        public ArrayView<float> Values;
    }
}
