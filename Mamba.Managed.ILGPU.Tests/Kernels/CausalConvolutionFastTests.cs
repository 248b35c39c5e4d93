using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The fast form of the convolution; its emulation is slow, so it gets few and small cases.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.WithWarps))]
public class CausalConvolutionFastTests(TestDevice device)
{
    [Test]
    public void Forward([Values(1, 3, 4)] int width, [Values] bool half) =>
        new ConvolutionCase([300, 2, 0, 17], 16, width, biased: width > 1, half ? NumberType.BFloat16 : NumberType.Float32).Check(device.Session, CausalConvolution.Fast);

    [Test]
    public void Backward([Values(1, 3, 4)] int width, [Values] bool withStates) =>
        new ConvolutionCase([300, 2, 0, 17], 16, width, biased: width > 1).CheckBackward(device.Session, CausalConvolution.FastBackward, withStates);
}
