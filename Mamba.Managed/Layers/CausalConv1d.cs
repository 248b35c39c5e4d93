using CommunityToolkit.HighPerformance;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>A causal depthwise convolution over time: one filter for each channel.</summary>
public sealed record CausalConv1d : IParameterTree<CausalConv1d>
{
    /// <summary>Makes a layer of its tensors.</summary>
    /// <param name="weight">[channels, 1, width], the newest input's weight last.</param>
    /// <param name="bias">[channels], or null for none.</param>
    /// <exception cref="ArgumentException">The shapes do not agree, or a tensor holds integers.</exception>
    public CausalConv1d(Tensor weight, Tensor? bias)
    {
        (Weight, Bias) = (weight, bias);
        Validate("");
    }

    /// <summary>[channels, 1, width], the newest input's weight last.</summary>
    public Tensor Weight
    {
        get;
        init => field = ShapeCheck.Present(value, "weight", ShapeCheck.Any, 1, ShapeCheck.Any);
    }

    /// <summary>[channels], or null for none.</summary>
    public Tensor? Bias { get; init; }

    /// <summary>Convolves the vectors of one sequence over time, on the calling thread.</summary>
    /// <param name="x">[length, channels]</param>
    /// <param name="window">
    /// conv_state, [width, channels], without gaps between the rows: the last inputs before the first row of <paramref name="x"/>, oldest first, zero
    /// at the beginning of a sequence. On return it holds the last inputs of this call.
    /// </param>
    /// <param name="y">[length, channels]; must not overlap <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">The shapes do not agree.</exception>
    public void Forward(ReadOnlySpan2D<float> x, Span2D<float> window, Span2D<float> y)
    {
        Validate("");
        int channels = Weight.Shape[0];
        ReadOnlySpan2D<float> filters = CausalConvolution.Transpose(Weight).AsSpan().AsSpan2D(Weight.Shape[^1], channels);
        CausalConvolution.Forward(x, filters, Bias.ToFloats(), window, y, silu: false);
    }

    /// <inheritdoc/>
    public CausalConv1d Map(string path, ParameterMap map)
    {
        CausalConv1d mapped = MapDescribed(path, map.Described());
        mapped.Validate(path);
        return mapped;
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"CausalConv1d {ShapeCheck.Size(Weight, 0)} x {ShapeCheck.Size(Weight, 2)}{(Bias is null ? "" : " + bias")}");

    internal CausalConv1d MapDescribed(string path, DescribedMap map) => this with
    {
        Weight = map(path.Below("weight"), Weight, ParameterInfo.Filter),
        Bias = Bias is null ? null : map(path.Below("bias"), Bias, ParameterInfo.FilterBias),
    };

    internal void Validate(string path, long channels = ShapeCheck.Any)
    {
        ShapeCheck.Require(Weight, path.Below("weight"), channels, 1, ShapeCheck.Any);
        if (Bias is not null)
        {
            ShapeCheck.Require(Bias, path.Below("bias"), Weight.Shape[0]);
        }
    }
}
