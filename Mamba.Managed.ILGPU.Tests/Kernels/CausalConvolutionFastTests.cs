using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The fast form of the convolution; its emulation is slow, so it gets few and small cases.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.WithWarps))]
public class CausalConvolutionFastTests(TestDevice device)
{
    private bool IsEmulated => device.Session.Accelerator.AcceleratorType == AcceleratorType.CPU;

    [Test]
    public void Forward([Values(1, 3, 4)] int width, [Values] bool half) =>
        new ConvolutionCase([300, 2, 0, 17], 16, width, biased: width > 1, half ? NumberType.BFloat16 : NumberType.Float32).Check(device.Session, CausalConvolution.Fast);

    [Test]
    public void Backward([Values(1, 3, 4)] int width, [Values] bool withStates) =>
        new ConvolutionCase([300, 2, 0, 17], 16, width, biased: width > 1).CheckBackward(device.Session, CausalConvolution.FastBackward, withStates);

    [Test]
    public void Every_length_up_to_256([Values] bool half)
    {
        Assume.That(IsEmulated, Is.False);
        for (int length = 0; length <= 256; length++)
        {
            ConvolutionCase convolution = new([length, 300, 256 - length], 32, type: half ? NumberType.BFloat16 : NumberType.Float32);
            convolution.Check(device.Session, CausalConvolution.Forward);
            if (!half)
            {
                convolution.CheckBackward(device.Session, CausalConvolution.Backward);
            }
        }
    }
}
