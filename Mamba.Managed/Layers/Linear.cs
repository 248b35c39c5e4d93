using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>y = W x + b for each vector of a sequence.</summary>
/// <param name="Weight">[outputs, inputs]</param>
/// <param name="Bias">[outputs], or null for none.</param>
public sealed record Linear(Tensor Weight, Tensor? Bias = null) : IParameterTree<Linear>
{
    /// <inheritdoc/>
    public Linear Map(string path, ParameterMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return new(map(path.Below("weight"), Weight), map.MapOptional(path.Below("bias"), Bias));
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"Linear {Weight.Shape[1]} -> {Weight.Shape[0]}{(Bias is null ? "" : " + bias")}");
}
