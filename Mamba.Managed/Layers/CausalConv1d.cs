using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>A depthwise convolution over time that sees no future: one filter for each channel.</summary>
/// <param name="Weight">[channels, 1, width], the newest input's weight last.</param>
/// <param name="Bias">[channels], or null for none.</param>
public sealed record CausalConv1d(Tensor Weight, Tensor? Bias) : IParameterTree<CausalConv1d>
{
    /// <inheritdoc/>
    public CausalConv1d Map(string path, ParameterMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return new(map(path.Below("weight"), Weight), map.MapOptional(path.Below("bias"), Bias));
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"CausalConv1d {Weight.Shape[0]} x {Weight.Shape[^1]}{(Bias is null ? "" : " + bias")}");
}
