using System.Numerics;

namespace Mamba.Managed.Kernels;

/// <summary>The gradients of <see cref="SelectiveScanReference"/>, one scalar operation at a time in any precision: the definition that the fast kernels are tested against.</summary>
/// <remarks>
/// With the names of the forward pass, the sum before the gate written s, and g the gradient of a state from its own row and all later ones:
/// <code>
/// ds[t, c]     = dy[t, c] silu(z[t, c])                    dz[t, c] = dy[t, c] s[t, c] silu'(z[t, c])
/// g[t, c, n]   = ds[t, c] C[t, n] + exp(delta[t+1, c] A[c, n]) g[t+1, c, n]
/// dC[t, n]    += ds[t, c] h[t, c, n]                       dB[t, n] += g[t, c, n] delta[t, c] u[t, c]
/// ddelta[t, c] = sum over n of g (h[t-1] A exp(delta A) + B u)
/// dA[c, n]    += g h[t-1] delta exp(delta A)               du[t, c] = sum over n of g delta B + ds D
/// </code>
/// </remarks>
internal static class SelectiveScanGradientReference
{
    /// <summary>Computes the gradients over one sequence. Inputs are those of the forward pass; every gradient is added to.</summary>
    /// <typeparam name="T"><see cref="float"/> or <see cref="double"/>.</typeparam>
    /// <param name="inputs">What the forward pass was given.</param>
    /// <param name="outputGradient">[length, channels]: of y.</param>
    /// <param name="lastStateGradient">[channels, states]: of the last state.</param>
    /// <returns>The gradient of every input, in the inputs' shapes; that of the initial state in place of the state.</returns>
    /// <exception cref="ArgumentException">A length contradicts the others.</exception>
    public static SelectiveScanArguments<T> Backward<T>(SelectiveScanArguments<T> inputs, ReadOnlySpan<T> outputGradient, ReadOnlySpan<T> lastStateGradient)
        where T : IBinaryFloatingPointIeee754<T>
    {
        ArgumentNullException.ThrowIfNull(inputs);
        inputs.Check();
        Throw.UnlessLength(inputs.U.Length, outputGradient.Length);
        Throw.UnlessLength(inputs.State.Length, lastStateGradient.Length);
        int channels = inputs.Channels, states = inputs.States, length = inputs.U.Length / channels;
        SelectiveScanArguments<T> gradients = inputs.Zeros();
        lastStateGradient.CopyTo(gradients.State);
        T[][] history = SelectiveScanReference.States(inputs);
        T[] sums = SelectiveScanReference.Sums(inputs, history);
        for (int t = length - 1; t >= 0; t--)
        {
            for (int channel = 0; channel < channels; channel++)
            {
                int at = (t * channels) + channel;
                T ds = outputGradient[at];
                if (inputs.Z.Length > 0)
                {
                    T z = inputs.Z[at], sigmoid = Sigmoid(z);
                    gradients.Z[at] += ds * sums[at] * sigmoid * (T.One + (z * (T.One - sigmoid)));
                    ds *= z * sigmoid;
                }

                if (inputs.D.Length > 0)
                {
                    gradients.D[channel] += ds * inputs.U[at];
                    gradients.U[at] += ds * inputs.D[channel];
                }

                T step = inputs.Step(at), delta = SelectiveScanReference.Delta(inputs, at), stepGradient = T.Zero;
                for (int n = 0; n < states; n++)
                {
                    int state = (channel * states) + n, select = (t * states) + n;
                    T factor = T.Exp(delta * inputs.A[state]), before = history[t][state];
                    T g = gradients.State[state] + (ds * inputs.C[select]);
                    gradients.C[select] += ds * history[t + 1][state];
                    gradients.B[select] += g * delta * inputs.U[at];
                    gradients.U[at] += g * delta * inputs.B[select];
                    gradients.A[state] += g * before * delta * factor;
                    stepGradient += g * ((before * inputs.A[state] * factor) + (inputs.B[select] * inputs.U[at]));
                    gradients.State[state] = g * factor;
                }

                stepGradient *= inputs.Softplus ? Sigmoid(step) : T.One;
                gradients.Dt[at] += stepGradient;
                if (inputs.Bias.Length > 0)
                {
                    gradients.Bias[channel] += stepGradient;
                }
            }
        }

        return gradients;
    }

    private static T Sigmoid<T>(T x)
        where T : IBinaryFloatingPointIeee754<T> => T.One / (T.One + T.Exp(-x));
}
