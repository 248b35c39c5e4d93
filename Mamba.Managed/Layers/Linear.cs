using CommunityToolkit.HighPerformance;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>y = W x + b for each vector of a sequence.</summary>
public sealed record Linear : IParameterTree<Linear>
{
    /// <summary>Makes a layer of its tensors.</summary>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="bias">[outputs], or null for none.</param>
    /// <exception cref="ArgumentException">The shapes do not agree, or a tensor holds integers.</exception>
    public Linear(Tensor weight, Tensor? bias = null)
    {
        (Weight, Bias) = (weight, bias);
        Validate("");
    }

    /// <summary>[outputs, inputs]</summary>
    public Tensor Weight
    {
        get;
        init => field = ShapeCheck.Present(value, "weight", ShapeCheck.Any, ShapeCheck.Any);
    }

    /// <summary>[outputs], or null for none.</summary>
    public Tensor? Bias { get; init; }

    /// <summary>Applies the layer to each vector of a sequence, on the calling thread.</summary>
    /// <param name="x">[length, inputs]</param>
    /// <param name="y">[length, outputs]; must not overlap <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">The shapes do not agree.</exception>
    public void Forward(ReadOnlySpan2D<float> x, Span2D<float> y)
    {
        Validate("");
        SpanRows.Require(x, x.Height, Weight.Shape[1]);
        SpanRows.Require(y, x.Height, Weight.Shape[0]);
        if (x.Height > 0)
        {
            using ArrangedMatrix weight = new(Weight);
            MatrixProduct.Forward(x, weight.Packed, Bias.ToFloats(), y);
        }
    }

    /// <inheritdoc/>
    public Linear Map(string path, ParameterMap map)
    {
        Linear mapped = MapDescribed(path, map.Described());
        mapped.Validate(path);
        return mapped;
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"Linear {ShapeCheck.Size(Weight, 1)} -> {ShapeCheck.Size(Weight, 0)}{(Bias is null ? "" : " + bias")}");

    internal Linear MapDescribed(string path, DescribedMap map, ParameterInfo? weight = null, ParameterInfo? bias = null) => this with
    {
        Weight = map(path.Below("weight"), Weight, weight ?? ParameterInfo.Projection),
        Bias = Bias is null ? null : map(path.Below("bias"), Bias, bias ?? ParameterInfo.Bias),
    };

    internal void Validate(string path, long outputs = ShapeCheck.Any, long inputs = ShapeCheck.Any)
    {
        ShapeCheck.Require(Weight, path.Below("weight"), outputs, inputs);
        if (Bias is not null)
        {
            ShapeCheck.Require(Bias, path.Below("bias"), Weight.Shape[0]);
        }
    }
}
