using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>
/// The selective scan with softplus, skip term and gate fused:
/// h[t] = exp(delta[t] A) h[t-1] + delta[t] B[t] u[t], y[t] = (C[t] h[t] + D u[t]) silu(z[t]).
/// </summary>
/// <remarks>Gu and Dao 2023, equation 2 and algorithm 2, with delta = softplus(delta + bias) as in state-spaces/mamba.</remarks>
internal static partial class SelectiveScan
{
    /// <summary>Computes y and the last states.</summary>
    /// <exception cref="ArgumentException">Shapes contradict one another.</exception>
    public static void Forward(GpuSession session, in ScanArguments arguments)
    {
        arguments.Check();
        arguments.CheckMatrix(arguments.Y, arguments.Channels, nameof(arguments.Y));
        if (arguments.Segments.Count == 0)
        {
            return;
        }

        if (session.IsFast)
        {
            Fast(session, arguments);
        }
        else
        {
            Plain(session, arguments);
        }
    }

    /// <summary>Computes the gradients, from the states that the forward pass saved.</summary>
    /// <exception cref="ArgumentException">Shapes contradict one another, or matrices are not float32.</exception>
    public static void Backward(GpuSession session, in ScanArguments arguments, in ScanGradients gradients)
    {
        arguments.Check();
        gradients.Check(arguments);
        if (arguments.Segments.Count == 0)
        {
            return;
        }

        if (session.IsFast)
        {
            FastBackward(session, arguments, gradients);
        }
        else
        {
            PlainBackward(session, arguments, gradients);
        }
    }
}
