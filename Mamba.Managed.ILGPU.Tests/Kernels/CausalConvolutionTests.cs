using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The plain form of the convolution, which every device runs.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class CausalConvolutionTests(TestDevice device)
{
    [TestCase(new[] { 1 }, 4, true)]
    [TestCase(new[] { 3, 0, 64, 2 }, 4, false)]
    [TestCase(new[] { 33, 5 }, 1, true)]
    [TestCase(new[] { 7, 1, 40 }, 6, true)]
    public void Forward(int[] lengths, int width, bool biased) =>
        new ConvolutionCase(lengths, 32, width, biased).Check(device.Session, CausalConvolution.Plain);

    [TestCase(new[] { 1 }, 4, true, true)]
    [TestCase(new[] { 3, 0, 64, 2 }, 4, false, true)]
    [TestCase(new[] { 33, 5 }, 1, true, false)]
    [TestCase(new[] { 7, 1, 40 }, 6, true, false)]
    public void Backward(int[] lengths, int width, bool biased, bool withStates) =>
        new ConvolutionCase(lengths, 32, width, biased).CheckBackward(device.Session, CausalConvolution.PlainBackward, withStates);
}
