using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The plain form of the scan, which every device runs.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class SelectiveScanTests(TestDevice device)
{
    [TestCase(new[] { 1 }, 16, 16)]
    [TestCase(new[] { 13, 64, 0, 1 }, 16, 16)]
    [TestCase(new[] { 65, 130 }, 48, 32)]
    public void Forward(int[] lengths, int channels, int states) =>
        new ScanCase(lengths, channels, states).Check(device.Session, SelectiveScan.Plain, saving: true);

    [TestCase(new[] { 1 }, 16, 16)]
    [TestCase(new[] { 13, 64, 0, 1 }, 16, 16)]
    [TestCase(new[] { 65, 130 }, 80, 32)]
    public void Backward(int[] lengths, int channels, int states) =>
        new ScanCase(lengths, channels, states).CheckBackward(device.Session, SelectiveScan.Plain, SelectiveScan.PlainBackward);

    [Test]
    public void Backward_without_gradients_of_states() =>
        new ScanCase([33], 16, 16).CheckBackward(device.Session, SelectiveScan.Plain, SelectiveScan.PlainBackward, withStates: false);
}
