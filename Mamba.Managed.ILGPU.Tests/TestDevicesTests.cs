using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Tests;

/// <summary>Every device under test runs the simplest kernel.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class TestDevicesTests(TestDevice device)
{
    [Test]
    public void A_kernel_runs()
    {
        GpuSession session = device.Session;
        using MemoryBuffer1D<float, Stride1D.Dense> values = session.Accelerator.Allocate1D<float>(1000);
        session.Plain<Squares>(Square)(1000, new() { Values = values.View });
        float[] found = new float[1000];
        session.Stream.Synchronize();
        values.CopyToCPU(found);
        Assert.That(found, Is.EqualTo(Enumerable.Range(0, 1000).Select(i => (float)i * i)));
    }

    internal static void Square(Index1D i, Squares arguments) => arguments.Values[i] = (float)i.X * i.X;

    internal struct Squares
    {
        public ArrayView<float> Values;
    }
}
