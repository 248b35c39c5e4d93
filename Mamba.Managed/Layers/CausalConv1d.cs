using Mamba.Managed.Execution;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>A depthwise convolution over time that sees no future: one filter for each channel.</summary>
/// <param name="Weight">[channels, 1, width], the newest input's weight last.</param>
/// <param name="Bias">[channels], or null for none.</param>
public sealed record CausalConv1d(Tensor Weight, Tensor? Bias) : IParameterTree<CausalConv1d>
{
    /// <summary>Convolves the vectors of one sequence over time, on the calling thread.</summary>
    /// <param name="x">[length, channels]</param>
    /// <param name="window">[width, channels]: the last inputs before the first row, oldest first, zero at the beginning; the last inputs on return.</param>
    /// <param name="y">[length, channels]; must not overlap <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">The lengths do not agree.</exception>
    public unsafe void Forward(ReadOnlySpan<float> x, Span<float> window, Span<float> y)
    {
        (int channels, int width) = (Weight.Shape[0], Weight.Shape[^1]);
        int length = x.Length / channels;
        Throw.UnlessLength(length * channels, x.Length);
        Throw.UnlessLength(width * channels, window.Length);
        Throw.UnlessLength(x.Length, y.Length);
        float[] bias = new float[Bias?.Count ?? 0];
        Bias?.CopyTo(bias);
        fixed (float* input = x, weight = PackedMixer.Transpose(Weight), added = bias, memory = window, output = y)
        {
            CausalConvolution.Forward(input, channels, weight, added, memory, output, length, channels, width, silu: false, 0, channels);
        }
    }

    /// <inheritdoc/>
    public CausalConv1d Map(string path, ParameterMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return new(map(path.Below("weight"), Weight), map.MapOptional(path.Below("bias"), Bias));
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"CausalConv1d {Weight.Shape[0]} x {Weight.Shape[^1]}{(Bias is null ? "" : " + bias")}");
}
