using ILGPU;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>What <see cref="SelectiveScan"/> reads and writes. The matrices are [rows, tokens], of one type and one pitch; channels and states are padded.</summary>
internal readonly record struct ScanArguments
{
    /// <summary>Tokens from one saved state to the next, see <see cref="ChunkStates"/>.</summary>
    public const int ChunkLength = 64;

    /// <summary>[channels, tokens]: the input.</summary>
    public required DeviceMatrix U { get; init; }

    /// <summary>[channels, tokens]: delta before bias and softplus.</summary>
    public required DeviceMatrix Delta { get; init; }

    /// <summary>[channels, tokens]: the gate.</summary>
    public required DeviceMatrix Z { get; init; }

    /// <summary>[states, tokens]; padding columns must be finite.</summary>
    public required DeviceMatrix B { get; init; }

    /// <summary>[states, tokens]; padding columns must be finite.</summary>
    public required DeviceMatrix C { get; init; }

    /// <summary>[channels, states]: -exp(A_log) * log2(e), so that decay = exp2(delta * A2).</summary>
    public required ArrayView<float> A2 { get; init; }

    /// <summary>[channels]: added to delta before softplus.</summary>
    public required ArrayView<float> DeltaBias { get; init; }

    /// <summary>[channels]: the skip term.</summary>
    public required ArrayView<float> D { get; init; }

    /// <summary>The sequences.</summary>
    public required SegmentList Segments { get; init; }

    /// <summary>ssm_state [channels, states] of each sequence: h before its first token; on return, after its last.</summary>
    public required StateSlots States { get; init; }

    /// <summary>[channels, tokens]: receives the output, zeros in a sequence's padding columns; may be <see cref="U"/> or <see cref="Z"/>. Not read by the backward pass.</summary>
    public DeviceMatrix Y { get; init; }

    /// <summary>
    /// [<see cref="Chunks"/>, channels, states] for training, or empty: receives h before tokens 0, 64, 128.. of each sequence, whose first lies at
    /// start / 64 + the sequence's number.
    /// </summary>
    public ArrayView<float> ChunkStates { get; init; }

    /// <summary>Chunks for which <see cref="ChunkStates"/> must have room.</summary>
    public static int Chunks(int tokens, int sequences) => (tokens / ChunkLength) + sequences;

    internal int Channels => U.Rows;

    internal int StateCount => B.Rows;

    internal int Pitch => U.Pitch;

    /// <summary>Refuses shapes that contradict one another.</summary>
    /// <exception cref="ArgumentException">Says what was expected and what was found.</exception>
    internal void Check()
    {
        CheckMatrix(Delta, Channels, nameof(Delta));
        CheckMatrix(Z, Channels, nameof(Z));
        CheckMatrix(B, StateCount, nameof(B));
        CheckMatrix(C, StateCount, nameof(C));
        CheckLength(A2, (long)Channels * StateCount, nameof(A2));
        CheckLength(DeltaBias, Channels, nameof(DeltaBias));
        CheckLength(D, Channels, nameof(D));
        if (Channels % Padding.Rows != 0 || StateCount % Padding.States != 0)
        {
            throw new ArgumentException($"expected channels and states in multiples of {Padding.Rows}, found {Channels} and {StateCount}");
        }

        if (!States.Exist)
        {
            throw new ArgumentException("expected states, found none");
        }

        if (ChunkStates.Length > 0)
        {
            CheckLength(ChunkStates, (long)Chunks(Pitch, Segments.Count) * Channels * StateCount, nameof(ChunkStates));
        }
    }

    /// <summary>Refuses a matrix that is not like <see cref="U"/>.</summary>
    internal void CheckMatrix(DeviceMatrix matrix, int rows, string name)
    {
        if (matrix.Rows != rows || matrix.Pitch != U.Pitch || matrix.Type != U.Type)
        {
            throw new ArgumentException($"{name}: expected [{rows}, {U.Pitch}] {U.Type}, found [{matrix.Rows}, {matrix.Pitch}] {matrix.Type}");
        }
    }

    internal static void CheckLength(ArrayView<float> view, long length, string name)
    {
        if (view.Length < length)
        {
            throw new ArgumentException($"{name}: expected {length} numbers, found {view.Length}");
        }
    }
}
