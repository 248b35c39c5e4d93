using CommunityToolkit.HighPerformance;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>RMS normalization with a learned scale for each feature.</summary>
public sealed record RmsNorm : IParameterTree<RmsNorm>
{
    /// <summary>Makes a layer of its tensor.</summary>
    /// <param name="weight">[features]</param>
    /// <param name="epsilon">Added to the mean square inside the root.</param>
    /// <exception cref="ArgumentException">The weight is no vector of floating-point numbers.</exception>
    public RmsNorm(Tensor weight, float epsilon)
    {
        (Weight, Epsilon) = (weight, epsilon);
        Validate("");
    }

    /// <summary>[features]</summary>
    public Tensor Weight
    {
        get;
        init => field = ShapeCheck.Present(value, "weight", ShapeCheck.Any);
    }

    /// <summary>Added to the mean square inside the root.</summary>
    public float Epsilon { get; init; }

    /// <summary>Normalizes each vector of a sequence.</summary>
    /// <param name="x">[length, features]</param>
    /// <param name="y">[length, features]; may be <paramref name="x"/> itself.</param>
    /// <exception cref="ArgumentException">The shapes do not agree.</exception>
    public void Forward(ReadOnlySpan2D<float> x, Span2D<float> y)
    {
        Validate("");
        SpanRows.Require(x, x.Height, Weight.Count);
        RmsNormalization.Forward(x, Weight.ToFloats(), Epsilon, y);
    }

    /// <inheritdoc/>
    public RmsNorm Map(string path, ParameterMap map)
    {
        RmsNorm mapped = MapDescribed(path, map.Described());
        mapped.Validate(path);
        return mapped;
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"RmsNorm {Weight.Count}");

    internal RmsNorm MapDescribed(string path, DescribedMap map) => this with { Weight = map(path.Below("weight"), Weight, ParameterInfo.Scale) };

    internal void Validate(string path, long features = ShapeCheck.Any) => ShapeCheck.Require(Weight, path.Below("weight"), features);
}
