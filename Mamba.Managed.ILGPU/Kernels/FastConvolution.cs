using ILGPU;
using ILGPU.Runtime;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary><see cref="ConvolutionArguments"/> and <see cref="ConvolutionGradients"/> as fast kernels take them, matrices in units of four numbers.</summary>
internal struct FastConvolution(in ConvolutionArguments arguments)
{
    public ArrayView<Float4> X = arguments.X.Data;
    public ArrayView<Float4> Y = arguments.Y.Data;
    public ArrayView<float> Weight = arguments.Weight;
    public ArrayView<float> Bias = arguments.Bias;
    public ArrayView<Segment> Segments = arguments.Segments.Items;
    public ArrayView<float> Pool = arguments.States.Pool;
    public ArrayView<Float4> OutputGradient;
    public ArrayView<Float4> InputGradient;
    public ArrayView<float> WeightGradient;
    public ArrayView<float> BiasGradient;

    /// <summary>[sequences, channels, width + 1]: a sequence's sums of weight and bias.</summary>
    public ArrayView<float> Workspace;

    public long StateLength = arguments.States.StateLength;
    public long StateOffset = arguments.States.Offset;
    public int HasStates = arguments.States.Exist ? 1 : 0;
    public int HasBias = arguments.Bias.Length > 0 ? 1 : 0;
    public int Channels = arguments.Channels;
    public int Pitch = arguments.Pitch / 4;
    public int Width = arguments.Width;
}
