using ILGPU;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>What <see cref="CausalConvolution"/> reads and writes. The matrices are [channels, tokens], of one type and one pitch.</summary>
internal readonly record struct ConvolutionArguments
{
    /// <summary>[channels, tokens]</summary>
    public required DeviceMatrix X { get; init; }

    /// <summary>[channels, width], the newest input's weight last.</summary>
    public required ArrayView<float> Weight { get; init; }

    /// <summary>[channels], or empty.</summary>
    public required ArrayView<float> Bias { get; init; }

    /// <summary>The sequences.</summary>
    public required SegmentList Segments { get; init; }

    /// <summary>
    /// conv_state [width, channels] of each sequence: its last inputs, oldest first. Forward reads and replaces it; backward reads what forward was given,
    /// <see cref="StateSlots.None"/> standing for zeros.
    /// </summary>
    public required StateSlots States { get; init; }

    /// <summary>[channels, tokens]: receives the output, zeros in a sequence's padding columns; not <see cref="X"/>. Not read by the backward pass.</summary>
    public DeviceMatrix Y { get; init; }

    internal int Channels => X.Rows;

    internal int Pitch => X.Pitch;

    internal int Width => (int)(Weight.Length / Math.Max(1, X.Rows));

    /// <summary>Refuses shapes that contradict one another.</summary>
    /// <exception cref="ArgumentException">Says what was expected and what was found.</exception>
    internal void Check()
    {
        if (Width < 1 || Weight.Length != (long)Channels * Width)
        {
            throw new ArgumentException($"Weight: expected some numbers for each of {Channels} channels, found {Weight.Length}");
        }

        if (Bias.Length > 0)
        {
            ScanArguments.CheckLength(Bias, Channels, nameof(Bias));
        }
    }

    /// <summary>Refuses a matrix that is not like <see cref="X"/>.</summary>
    internal void CheckMatrix(DeviceMatrix matrix, string name)
    {
        if (matrix.Rows != Channels || matrix.Pitch != Pitch || matrix.Type != X.Type)
        {
            throw new ArgumentException($"{name}: expected [{Channels}, {Pitch}] {X.Type}, found [{matrix.Rows}, {matrix.Pitch}] {matrix.Type}");
        }
    }
}
