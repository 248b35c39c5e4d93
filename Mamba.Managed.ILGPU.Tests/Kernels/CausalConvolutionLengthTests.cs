using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The fast form of the convolution at every length, where it runs fast.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Fast))]
public class CausalConvolutionLengthTests(TestDevice device)
{
    [Test]
    public void Every_length_up_to_256([Values] bool half)
    {
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
