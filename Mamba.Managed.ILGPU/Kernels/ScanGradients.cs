using ILGPU;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Gradients that the backward pass of <see cref="SelectiveScan"/> reads and writes. The matrices are float32 and shaped like what they belong to.</summary>
internal readonly record struct ScanGradients
{
    /// <summary>[channels, tokens]: of y, read; padding columns count as zero.</summary>
    public required DeviceMatrix Y { get; init; }

    /// <summary>[channels, tokens]: of u, written; like all that is written, zero in a sequence's padding columns. May be <see cref="Y"/>.</summary>
    public required DeviceMatrix U { get; init; }

    /// <summary>[channels, tokens]: of delta before bias and softplus, written.</summary>
    public required DeviceMatrix Delta { get; init; }

    /// <summary>[channels, tokens]: of z, written.</summary>
    public required DeviceMatrix Z { get; init; }

    /// <summary>[states, tokens]: written.</summary>
    public required DeviceMatrix B { get; init; }

    /// <summary>[states, tokens]: written.</summary>
    public required DeviceMatrix C { get; init; }

    /// <summary>[channels, states]: of A_log, added to.</summary>
    public required ArrayView<float> ALog { get; init; }

    /// <summary>[channels]: added to.</summary>
    public required ArrayView<float> DeltaBias { get; init; }

    /// <summary>[channels]: added to.</summary>
    public required ArrayView<float> D { get; init; }

    /// <summary>The gradient of each sequence's last state, in the slots of the states; on return, of its first. <see cref="StateSlots.None"/>: it is zero and not wanted.</summary>
    public required StateSlots States { get; init; }

    /// <summary>Scratch memory of <see cref="SelectiveScan.BackwardWorkspace"/> numbers.</summary>
    public required ArrayView<float> Workspace { get; init; }

    internal void Check(in ScanArguments arguments)
    {
        if (arguments.U.Type != NumberType.Float32)
        {
            throw new ArgumentException($"expected a backward pass in float32, found {arguments.U.Type}");
        }

        arguments.CheckMatrix(Y, arguments.Channels, "gradient of y");
        arguments.CheckMatrix(U, arguments.Channels, "gradient of u");
        arguments.CheckMatrix(Delta, arguments.Channels, "gradient of delta");
        arguments.CheckMatrix(Z, arguments.Channels, "gradient of z");
        arguments.CheckMatrix(B, arguments.StateCount, "gradient of B");
        arguments.CheckMatrix(C, arguments.StateCount, "gradient of C");
        ScanArguments.CheckLength(ALog, (long)arguments.Channels * arguments.StateCount, "gradient of A_log");
        ScanArguments.CheckLength(DeltaBias, arguments.Channels, "gradient of the bias");
        ScanArguments.CheckLength(D, arguments.Channels, "gradient of D");
        ScanArguments.CheckLength(
            Workspace, SelectiveScan.BackwardWorkspace(arguments.Channels, arguments.StateCount, arguments.Pitch, arguments.Segments.Count), "workspace");
        ScanArguments.CheckLength(
            arguments.ChunkStates, (long)ScanArguments.Chunks(arguments.Pitch, arguments.Segments.Count) * arguments.Channels * arguments.StateCount, "chunk states");
    }
}
