using CommunityToolkit.HighPerformance;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>The checked doors of kernels refuse shapes that do not agree, and name the argument.</summary>
public class DoorTests
{
    private const int Length = 3;
    private const int Channels = 20;
    private const int States = 4;

    [Test]
    public void Norm()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => RmsNormalization.Forward(new float[2, 4], new float[4], 1, new float[2, 5]), Names("y"));
            Assert.That(() => RmsNormalization.Forward(new float[2, 4], new float[4], 1, new float[3, 4]), Names("y"));
            Assert.That(() => RmsNormalization.Forward(new float[2, 4], new float[5], 1, new float[2, 4]), Names("weight"));
        });
    }

    [Test]
    public void Product()
    {
        PackedMatrix weight = new(Tensor.Zeros(ElementType.Float32, 5, 4));
        Assert.Multiple(() =>
        {
            Assert.That(() => MatrixProduct.Forward(new float[2, 3], weight, [], new float[2, 5]), Names("x"));
            Assert.That(() => MatrixProduct.Forward(new float[2, 4], weight, new float[4], new float[2, 5]), Names("bias"));
            Assert.That(() => MatrixProduct.Forward(new float[2, 4], weight, [], new float[1, 5]), Names("y"));
            Assert.That(() => MatrixProduct.Forward(new float[2, 4], weight, [], new float[2, 4]), Names("y"));
        });
    }

    [Test]
    public void Convolution()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => Convolve(x: new float[Length, 19]), Names("x"));
            Assert.That(() => Convolve(bias: new float[19]), Names("bias"));
            Assert.That(() => Convolve(window: new float[3, Channels]), Names("window"));
            Assert.That(() => Convolve(window: new float[4, 19]), Names("window"));
            Assert.That(() => Convolve(y: new float[2, Channels]), Names("y"));
            Assert.That(() => Convolve(), Throws.Nothing);
        });

        static void Convolve(float[,]? x = null, float[]? bias = null, float[,]? window = null, float[,]? y = null) => CausalConvolution.Forward(
            x ?? new float[Length, Channels], new float[4, Channels], bias ?? [], window ?? new float[4, Channels], y ?? new float[Length, Channels], silu: true);
    }

    [Test]
    public void Scan()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => Run(dt: new float[Length, 19]), Names("dt"));
            Assert.That(() => Run(bias: new float[19]), Names("bias"));
            Assert.That(() => Run(decay: new float[79]), Names("decay"));
            Assert.That(() => Run(b: new float[Length, 3]), Names("decay"));
            Assert.That(() => Run(b: new float[2, States]), Names("b"));
            Assert.That(() => Run(c: new float[Length, 5]), Names("c"));
            Assert.That(() => Run(c: Apart()), Names("c"));
            Assert.That(() => Run(d: new float[21]), Names("d"));
            Assert.That(() => Run(z: new float[2, Channels]), Names("z"));
            Assert.That(() => Run(state: new float[81]), Names("state"));
            Assert.That(() => Run(y: new float[Length, 19]), Names("y"));
            Assert.That(() => Run(), Throws.Nothing);
        });

        static Memory2D<float> Apart() => new float[Length, States + 1].AsMemory2D()[.., ..States];

        static void Run(
            float[,]? dt = null, float[]? bias = null, float[]? decay = null, Memory2D<float>? b = null, Memory2D<float>? c = null, float[]? d = null,
            float[,]? z = null, float[]? state = null, float[,]? y = null) => SelectiveScan.Forward(
            new float[Length, Channels], dt ?? new float[Length, Channels], bias ?? [], decay ?? new float[Channels * States],
            (b ?? new float[Length, States]).Span, (c ?? new float[Length, States]).Span, d ?? [], z ?? new float[Length, Channels],
            state ?? new float[Channels * States], y ?? new float[Length, Channels]);
    }

    private static NUnit.Framework.Constraints.EqualStringConstraint Names(string argument) => Throws.ArgumentException.With.Property("ParamName").EqualTo(argument);
}
