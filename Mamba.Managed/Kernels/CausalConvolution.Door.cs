using CommunityToolkit.HighPerformance;
using CommunityToolkit.HighPerformance.Buffers;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Kernels;

/// <content>The checked door, and the order in which it takes the filters.</content>
internal static unsafe partial class CausalConvolution
{
    /// <summary>Runs over one sequence.</summary>
    /// <param name="x">[length, channels]</param>
    /// <param name="weight">[width, channels], as <see cref="Transpose"/> gives it.</param>
    /// <param name="bias">[channels] or empty.</param>
    /// <param name="window">[width, channels]: the last inputs before row 0, oldest first; the last inputs after the last row on return.</param>
    /// <param name="y">[length, channels]; must not overlap <paramref name="x"/>.</param>
    /// <param name="silu">Whether SiLU follows.</param>
    /// <exception cref="ArgumentException">The shapes do not agree, or there are gaps between the rows of weight or window.</exception>
    public static void Forward(
        ReadOnlySpan2D<float> x, ReadOnlySpan2D<float> weight, ReadOnlySpan<float> bias, Span2D<float> window, Span2D<float> y, bool silu)
    {
        (int length, int width, int channels) = (x.Height, weight.Height, weight.Width);
        SpanRows.Require(x, length, channels);
        SpanRows.RequireDense(weight, width, channels);
        Throw.UnlessLength(bias.IsEmpty ? 0 : channels, bias.Length);
        SpanRows.RequireDense(window, width, channels);
        SpanRows.Require(y, length, channels);
        if (length == 0)
        {
            return;
        }

        if (!((ReadOnlySpan2D<float>)y).IsDense())
        {
            using SpanOwner<float> room = SpanOwner<float>.Allocate(checked(length * channels));
            Span2D<float> dense = room.Span.AsSpan2D(length, channels);
            Forward(x, weight, bias, window, dense, silu);
            dense.CopyTo(y);
            return;
        }

        fixed (float* input = x, filters = weight, added = bias, memory = window, output = y)
        {
            Forward(input, x.Pitch(), filters, added, memory, output, length, channels, width, silu, 0, channels);
        }
    }

    /// <summary>Filters in the order in which the kernel reads them.</summary>
    /// <param name="weight">[channels, 1, width], as checkpoints hold them.</param>
    /// <returns>[width, channels], so that neighboring channels are neighbors in memory.</returns>
    public static float[] Transpose(Tensor weight)
    {
        int channels = weight.Shape[0];
        float[] values = new float[weight.Count], turned = new float[values.Length];
        weight.CopyTo(values);
        for (int channel = 0, at = 0; channel < channels; channel++)
        {
            for (long to = channel; to < turned.Length; to += channels, at++)
            {
                turned[to] = values[at];
            }
        }

        return turned;
    }
}
