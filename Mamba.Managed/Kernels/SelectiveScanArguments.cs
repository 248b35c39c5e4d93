using System.Numerics;

namespace Mamba.Managed.Kernels;

/// <summary>The inputs of a selective scan over one sequence, or the gradients of them; shapes as in <see cref="SelectiveScanReference"/>.</summary>
/// <typeparam name="T"><see cref="float"/> or <see cref="double"/>.</typeparam>
/// <param name="Channels">How many channels: d_inner.</param>
/// <param name="States">States of one channel: d_state.</param>
/// <param name="Softplus">Whether the step passes through softplus.</param>
/// <param name="U">[length, channels]</param>
/// <param name="Dt">[length, channels]: the step before bias and softplus.</param>
/// <param name="A">[channels, states]</param>
/// <param name="B">[length, states]</param>
/// <param name="C">[length, states]</param>
/// <param name="D">[channels] or empty.</param>
/// <param name="Z">[length, channels] or empty.</param>
/// <param name="Bias">[channels] or empty.</param>
/// <param name="State">[channels, states]: before the first row.</param>
public sealed record SelectiveScanArguments<T>(
    int Channels, int States, bool Softplus, T[] U, T[] Dt, T[] A, T[] B, T[] C, T[] D, T[] Z, T[] Bias, T[] State)
    where T : IBinaryFloatingPointIeee754<T>
{
    /// <summary>Runs the scan in this precision.</summary>
    /// <param name="lastState">[channels, states]: receives the state after the last row.</param>
    /// <returns>[length, channels]: y.</returns>
    /// <exception cref="ArgumentException">A length contradicts the others.</exception>
    public T[] Forward(Span<T> lastState)
    {
        Check();
        Throw.UnlessLength(State.Length, lastState.Length);
        T[][] history = new T[(U.Length / Channels) + 1][];
        history[0] = State;
        T[] y = Forward(history);
        history[^1].CopyTo(lastState);
        for (int i = 0; i < Z.Length; i++)
        {
            y[i] *= Z[i] / (T.One + T.Exp(-Z[i]));
        }

        return y;
    }

    internal static T SoftplusOf(T x) => T.Max(x, T.Zero) + T.LogP1(T.Exp(-T.Abs(x)));

    internal T Step(int at) => Dt[at] + (Bias.Length > 0 ? Bias[at % Channels] : T.Zero);

    // The sums before the gate; history[t + 1] becomes the state after row t.
    internal T[] Forward(T[][] history)
    {
        T[] sums = new T[U.Length];
        for (int t = 0; t + 1 < history.Length; t++)
        {
            T[] state = history[t + 1] = new T[State.Length];
            for (int channel = 0; channel < Channels; channel++)
            {
                int at = (t * Channels) + channel;
                T delta = Softplus ? SoftplusOf(Step(at)) : Step(at);
                T sum = D.Length > 0 ? D[channel] * U[at] : T.Zero;
                for (int n = 0; n < States; n++)
                {
                    int i = (channel * States) + n;
                    state[i] = (T.Exp(delta * A[i]) * history[t][i]) + (delta * B[(t * States) + n] * U[at]);
                    sum += state[i] * C[(t * States) + n];
                }

                sums[at] = sum;
            }
        }

        return sums;
    }

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Channels);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(States);
        int length = U.Length / Channels;
        Throw.UnlessLength(length * Channels, U.Length);
        Throw.UnlessLength(U.Length, Dt.Length);
        Throw.UnlessLength(Channels * States, A.Length);
        Throw.UnlessLength(length * States, B.Length);
        Throw.UnlessLength(length * States, C.Length);
        Throw.UnlessLength(D.Length == 0 ? 0 : Channels, D.Length);
        Throw.UnlessLength(Z.Length == 0 ? 0 : U.Length, Z.Length);
        Throw.UnlessLength(Bias.Length == 0 ? 0 : Channels, Bias.Length);
        Throw.UnlessLength(Channels * States, State.Length);
    }

    internal SelectiveScanArguments<T> Zeros() => this with
    {
        U = new T[U.Length],
        Dt = new T[Dt.Length],
        A = new T[A.Length],
        B = new T[B.Length],
        C = new T[C.Length],
        D = new T[D.Length],
        Z = new T[Z.Length],
        Bias = new T[Bias.Length],
        State = new T[State.Length],
    };
}
