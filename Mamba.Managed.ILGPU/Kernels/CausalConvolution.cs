using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Depthwise causal convolution over time, then SiLU: y[t] = silu(bias + sum over j of w[j] x[t - width + 1 + j]).</summary>
/// <remarks>Gu and Dao 2023, figure 3; <c>causal_conv1d</c> with SiLU upstream. Inputs before a sequence's first token come from its conv_state.</remarks>
internal static partial class CausalConvolution
{
    /// <summary>Computes y, and replaces the states.</summary>
    /// <exception cref="ArgumentException">Shapes contradict one another.</exception>
    public static void Forward(GpuSession session, in ConvolutionArguments arguments)
    {
        arguments.Check();
        arguments.CheckMatrix(arguments.Y, nameof(arguments.Y));
        if (!arguments.States.Exist)
        {
            throw new ArgumentException("expected states, found none");
        }

        if (arguments.Segments.Count == 0)
        {
            return;
        }

        if (IsFast(session, arguments))
        {
            Fast(session, arguments);
        }
        else
        {
            Plain(session, arguments);
        }
    }

    /// <summary>Computes the gradients of x, weight and bias; the states count as constants.</summary>
    /// <exception cref="ArgumentException">Shapes contradict one another, or matrices are not float32.</exception>
    public static void Backward(GpuSession session, in ConvolutionArguments arguments, in ConvolutionGradients gradients)
    {
        arguments.Check();
        gradients.Check(arguments);
        if (arguments.Segments.Count == 0)
        {
            return;
        }

        if (IsFast(session, arguments))
        {
            FastBackward(session, arguments, gradients);
        }
        else
        {
            PlainBackward(session, arguments, gradients);
        }
    }

    /// <summary>Numbers of scratch memory that the backward pass needs.</summary>
    public static long BackwardWorkspace(int channels, int width, int sequences) => (long)sequences * channels * (width + 1);
}
