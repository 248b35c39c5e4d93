using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <content>The fast form: in what groups its kernels run.</content>
internal static partial class CausalConvolution
{
    /// <summary>Forward for GPUs with warps of 32 and widths up to <see cref="ConvolutionKernels.Width"/>.</summary>
    internal static void Fast(GpuSession session, in ConvolutionArguments arguments)
    {
        int blocks = (arguments.Segments.Longest + ConvolutionKernels.WarpSteps - 1) / ConvolutionKernels.WarpSteps;
        Action<FastConvolution> kernel = arguments.X.Type == NumberType.Float32 ? ConvolutionKernels.ForwardFloat32 : ConvolutionKernels.ForwardBFloat16;
        session.Grouped(kernel, ConvolutionKernels.Threads)(Groups(arguments, Math.Max(1, blocks)), new FastConvolution(arguments));
    }

    /// <summary>Backward for GPUs with warps of 32 and widths up to <see cref="ConvolutionKernels.Width"/>.</summary>
    internal static void FastBackward(GpuSession session, in ConvolutionArguments arguments, in ConvolutionGradients gradients)
    {
        FastConvolution work = new(arguments)
        {
            OutputGradient = gradients.Y.Data,
            InputGradient = gradients.X.Data,
            WeightGradient = gradients.Weight,
            BiasGradient = gradients.Bias,
            Workspace = gradients.Workspace,
        };
        session.Grouped<FastConvolution>(ConvolutionKernels.Backward, ConvolutionKernels.Threads)(Groups(arguments, 1), work);
        session.Plain<FastConvolution>(ConvolutionKernels.AddSequences)(arguments.Channels * (arguments.Width + 1), work);
    }

    private static bool IsFast(GpuSession session, in ConvolutionArguments arguments) => session.IsFast && arguments.Width <= ConvolutionKernels.Width;

    private static KernelConfig Groups(in ConvolutionArguments arguments, int blocks) => new(
        new Index3D(arguments.Channels / ConvolutionKernels.GroupChannels, arguments.Segments.Count, blocks), new Index3D(ConvolutionKernels.Threads, 1, 1));
}
