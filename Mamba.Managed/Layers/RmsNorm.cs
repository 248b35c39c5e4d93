using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>RMS normalization with a learned scale for each feature.</summary>
/// <param name="Weight">[features]</param>
/// <param name="Epsilon">Added to the mean square inside the root.</param>
public sealed record RmsNorm(Tensor Weight, float Epsilon) : IParameterTree<RmsNorm>
{
    /// <summary>Normalizes each vector of a sequence.</summary>
    /// <param name="x">[length, features]</param>
    /// <param name="y">[length, features]; may be <paramref name="x"/> itself.</param>
    /// <exception cref="ArgumentException">The lengths do not agree, or are no multiple of the features.</exception>
    public void Forward(ReadOnlySpan<float> x, Span<float> y)
    {
        int features = Weight.Count;
        Throw.UnlessLength(x.Length / features * features, x.Length);
        Throw.UnlessLength(x.Length, y.Length);
        Tensor single = Weight.ToFloat32();
        ReadOnlySpan<float> weight = single.Floats;
        for (int at = 0; at < x.Length; at += features)
        {
            RmsNormalization.Forward(x.Slice(at, features), weight, Epsilon, y.Slice(at, features));
        }

        GC.KeepAlive(single);
    }

    /// <inheritdoc/>
    public RmsNorm Map(string path, ParameterMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return this with { Weight = map(path.Below("weight"), Weight) };
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"RmsNorm {Weight.Count}");
}
