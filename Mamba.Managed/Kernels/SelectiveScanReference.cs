using System.Numerics;

namespace Mamba.Managed.Kernels;

/// <summary>The selective scan as the paper states it, one scalar operation at a time in any precision: the definition that fast forms are held to.</summary>
/// <remarks>
/// Gu and Dao 2023, equations 2 and 4 with the discretization of <c>selective_scan_ref</c> in state-spaces/mamba: for every channel c,
/// state n and time t
/// <code>
/// delta[t, c] = softplus(dt[t, c] + bias[c])                                   (softplus and bias where given)
/// h[t, c, n]  = exp(delta[t, c] A[c, n]) h[t-1, c, n] + delta[t, c] B[t, n] u[t, c]
/// s[t, c]     = sum over n of h[t, c, n] C[t, n]  +  D[c] u[t, c]              (the skip term where given)
/// y[t, c]     = s[t, c] silu(z[t, c])                                          (the gate where given)
/// </code>
/// </remarks>
internal static class SelectiveScanReference
{
    /// <summary>Runs the scan over one sequence.</summary>
    /// <typeparam name="T"><see cref="float"/> or <see cref="double"/>.</typeparam>
    /// <param name="inputs">The inputs, with the state before the first row.</param>
    /// <param name="lastState">[channels, states]: receives the state after the last row.</param>
    /// <returns>[length, channels]: y.</returns>
    /// <exception cref="ArgumentException">A length contradicts the others.</exception>
    public static T[] Forward<T>(SelectiveScanArguments<T> inputs, Span<T> lastState)
        where T : IBinaryFloatingPointIeee754<T>
    {
        ArgumentNullException.ThrowIfNull(inputs);
        inputs.Check();
        Throw.UnlessLength(inputs.State.Length, lastState.Length);
        T[][] states = States(inputs);
        states[^1].CopyTo(lastState);
        T[] y = Sums(inputs, states);
        for (int i = 0; i < inputs.Z.Length; i++)
        {
            y[i] *= inputs.Z[i] / (T.One + T.Exp(-inputs.Z[i]));
        }

        return y;
    }

    /// <summary>delta.</summary>
    /// <param name="inputs">The inputs of the scan.</param>
    /// <param name="at">t channels + c.</param>
    internal static T Delta<T>(SelectiveScanArguments<T> inputs, int at)
        where T : IBinaryFloatingPointIeee754<T>
    {
        T step = inputs.Step(at);

        // log(1 + e^x) without overflow.
        return inputs.Softplus ? T.Max(step, T.Zero) + T.LogP1(T.Exp(-T.Abs(step))) : step;
    }

    /// <summary>h before the first row, and after each: [length + 1] of [channels, states].</summary>
    internal static T[][] States<T>(SelectiveScanArguments<T> inputs)
        where T : IBinaryFloatingPointIeee754<T>
    {
        (int channels, int states) = (inputs.Channels, inputs.States);
        T[][] h = new T[(inputs.U.Length / channels) + 1][];
        h[0] = inputs.State;
        for (int t = 0; t + 1 < h.Length; t++)
        {
            h[t + 1] = new T[inputs.State.Length];
            for (int c = 0; c < channels; c++)
            {
                T delta = Delta(inputs, (t * channels) + c), u = inputs.U[(t * channels) + c];
                for (int n = 0, i = c * states; n < states; n++, i++)
                {
                    h[t + 1][i] = (T.Exp(delta * inputs.A[i]) * h[t][i]) + (delta * inputs.B[(t * states) + n] * u);
                }
            }
        }

        return h;
    }

    /// <summary>s, the output before the gate: [length, channels].</summary>
    internal static T[] Sums<T>(SelectiveScanArguments<T> inputs, T[][] h)
        where T : IBinaryFloatingPointIeee754<T>
    {
        (int channels, int states) = (inputs.Channels, inputs.States);
        T[] sums = new T[inputs.U.Length];
        for (int at = 0; at < sums.Length; at++)
        {
            (int t, int c) = Math.DivRem(at, channels);
            sums[at] = inputs.D.Length > 0 ? inputs.D[c] * inputs.U[at] : T.Zero;
            for (int n = 0; n < states; n++)
            {
                sums[at] += h[t + 1][(c * states) + n] * inputs.C[(t * states) + n];
            }
        }

        return sums;
    }
}
