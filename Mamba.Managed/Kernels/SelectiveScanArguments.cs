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
internal sealed record SelectiveScanArguments<T>(
    int Channels, int States, bool Softplus, T[] U, T[] Dt, T[] A, T[] B, T[] C, T[] D, T[] Z, T[] Bias, T[] State)
    where T : IBinaryFloatingPointIeee754<T>
{
    /// <summary>The step before softplus.</summary>
    /// <param name="at">t channels + c.</param>
    internal T Step(int at) => Dt[at] + (Bias.Length > 0 ? Bias[at % Channels] : T.Zero);

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Channels);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(States);
        int length = U.Length / Channels;
        Throw.UnlessLength(length * Channels, U.Length);
        Throw.UnlessLength(U.Length, Dt.Length);
        Throw.UnlessLength((long)Channels * States, A.Length);
        Throw.UnlessLength((long)length * States, B.Length);
        Throw.UnlessLength((long)length * States, C.Length);
        Throw.UnlessLength(D.Length == 0 ? 0 : Channels, D.Length);
        Throw.UnlessLength(Z.Length == 0 ? 0 : U.Length, Z.Length);
        Throw.UnlessLength(Bias.Length == 0 ? 0 : Channels, Bias.Length);
        Throw.UnlessLength((long)Channels * States, State.Length);
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
