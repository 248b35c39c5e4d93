using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Tests.Devices;

/// <summary>A device is found by name, or one line says what is missing.</summary>
public class GpuDeviceTests
{
    private static readonly GpuDevice First = Device(GpuKind.Cuda, 0, "first");
    private static readonly GpuDevice Second = Device(GpuKind.Cuda, 1, "second", problem: "expected a newer driver");
    private static readonly GpuDevice Processor = Device(GpuKind.OpenCL, 0, "processor", isGpu: false);
    private static readonly GpuDevice Other = Device(GpuKind.OpenCL, 1, "other");
    private static readonly GpuDevice Emulation = Device(GpuKind.CpuAccelerator, 0, "emulation", isGpu: false);
    private static readonly GpuDevice[] Every = [First, Second, Processor, Other, Emulation];

    [TestCase("cuda", "first")]
    [TestCase("cuda:0", "first")]
    [TestCase("opencl", "processor")]
    [TestCase("opencl:1", "other")]
    [TestCase("cpu-accelerator", "emulation")]
    [TestCase("auto", "first")]
    public void A_name_selects_a_device(string selector, string expected) =>
        Assert.That(DeviceSelector.Parse(selector).Choose(Every).Name, Is.EqualTo(expected));

    [TestCase("")]
    [TestCase("gpu")]
    [TestCase("cuda:")]
    [TestCase("cuda:-1")]
    [TestCase("cuda:1:2")]
    [TestCase("cuda: 1")]
    [TestCase("cpu-accelerator:0")]
    [TestCase("auto:1")]
    public void Another_name_is_refused(string selector) =>
        Assert.That(() => DeviceSelector.Parse(selector), Throws.ArgumentException.With.Message.Contains($"found '{selector}'"));

    [Test]
    public void Any_device_is_a_gpu_and_never_the_emulation()
    {
        DeviceSelector any = DeviceSelector.Parse("auto");
        Assert.Multiple(() =>
        {
            Assert.That(any.Choose([Processor, Other, Emulation]), Is.SameAs(Other));
            Assert.That(any.Choose([Second, Other]), Is.SameAs(Other));
            Assert.That(() => any.Choose([Second, Emulation]), Throws.TypeOf<GpuException>().With.Message.Contains("newer driver"));
            Assert.That(() => any.Choose([Processor, Emulation]), Throws.TypeOf<GpuException>().With.Message.Contains("expected a GPU"));
        });
    }

    [Test]
    public void What_is_missing_is_said_in_one_line()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => DeviceSelector.Parse("cuda").Choose([Emulation]), Throws.TypeOf<GpuException>().With.Message.Contains("found none; install the driver"));
            Assert.That(() => DeviceSelector.Parse("opencl").Choose([Emulation]), Throws.TypeOf<GpuException>().With.Message.Contains("libOpenCL.so.1"));
            Assert.That(() => DeviceSelector.Parse("cuda:2").Choose(Every), Throws.TypeOf<GpuException>().With.Message.EqualTo("expected cuda:0 to cuda:1, found cuda:2"));
            Assert.That(() => DeviceSelector.Parse("cuda:1").Choose(Every), Throws.TypeOf<GpuException>().With.Message.EqualTo("cuda:1 second: expected a newer driver"));
        });
    }

    [Test]
    public void This_machine_has_at_least_the_emulation()
    {
        IReadOnlyList<GpuDevice> devices = GpuDevice.All();
        Assert.Multiple(() =>
        {
            Assert.That(devices[^1].Id, Is.EqualTo("cpu-accelerator"));
            Assert.That(devices.Select(device => device.Id), Is.Unique);
            Assert.That(GpuDevice.Find("cpu-accelerator").Kind, Is.EqualTo(GpuKind.CpuAccelerator));
            Assert.That(devices[^1].ToString(), Is.EqualTo("cpu-accelerator emulation on the processor"));
        });
    }

    private static GpuDevice Device(GpuKind kind, int index, string name, bool isGpu = true, string? problem = null) => new(kind, index, name, 0, null, isGpu, problem);
}
