using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The fast forms of the scan at every length and on long ragged batches, where they run fast.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Fast))]
public class SelectiveScanLengthTests(TestDevice device)
{
    private static NumberType Type(bool half) => half ? NumberType.BFloat16 : NumberType.Float32;

    [Test]
    public void Backward_of_every_length_up_to_256([Values(16, 32)] int states)
    {
        for (int length = 0; length <= 256; length++)
        {
            ScanCase scan = new([length, 7, 256 - length], 48, states);
            scan.CheckBackward(device.Session, SelectiveScan.Wide, SelectiveScan.WideBackward, withStates: length % 2 == 0);
            scan.CheckBackward(device.Session, SelectiveScan.Narrow, SelectiveScan.NarrowBackward, withStates: length % 2 == 1);
        }
    }

    [Test]
    public void Backward_long_and_ragged()
    {
        ScanCase scan = new([1500, 1, 77, 0, 1025, 512], 144, 16);
        scan.CheckBackward(device.Session, SelectiveScan.Forward, SelectiveScan.Backward);
    }

    [Test]
    public void Every_length_up_to_256([Values] bool half, [Values(16, 32)] int states)
    {
        for (int length = 0; length <= 256; length++)
        {
            ScanCase scan = new([length, 7, 256 - length], 48, states, Type(half));
            scan.Check(device.Session, SelectiveScan.Wide, saving: true);
            scan.Check(device.Session, SelectiveScan.Narrow, saving: true);
        }
    }

    [Test]
    public void Long_and_ragged([Values] bool half)
    {
        ScanCase scan = new([3000, 1, 77, 0, 1025, 512], 80, 16, Type(half));
        scan.Check(device.Session, SelectiveScan.Wide, saving: true);
        scan.Check(device.Session, SelectiveScan.Narrow, saving: true);
        scan.Check(device.Session, SelectiveScan.Forward);
    }
}
