using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The fast forms of the scan; their emulation is slow, so it gets few and small cases.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.WithWarps))]
public class SelectiveScanFastTests(TestDevice device)
{
    private static NumberType Type(bool half) => half ? NumberType.BFloat16 : NumberType.Float32;

    [Test]
    public void Wide([Values] bool half, [Values(16, 32)] int states) =>
        new ScanCase([50, 1], 48, states, Type(half)).Check(device.Session, SelectiveScan.Wide, saving: true);

    [Test]
    public void Narrow([Values] bool half, [Values(16, 32)] int states) =>
        new ScanCase([150], 16, states, Type(half)).Check(device.Session, SelectiveScan.Narrow, saving: true);

    [Test]
    public void Wide_backward([Values(16, 32)] int states) =>
        new ScanCase([70, 1], 16, states).CheckBackward(device.Session, SelectiveScan.Plain, SelectiveScan.WideBackward);

    [Test]
    public void Narrow_backward([Values(16, 32)] int states, [Values] bool withStates) =>
        new ScanCase([5, 66], 16, states).CheckBackward(device.Session, SelectiveScan.Plain, SelectiveScan.NarrowBackward, withStates);
}
