using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>A vector for each token id.</summary>
/// <param name="Weight">[vocab_size, d_model]</param>
public sealed record Embedding(Tensor Weight) : IParameterTree<Embedding>
{
    /// <inheritdoc/>
    public Embedding Map(string path, ParameterMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return new(map(path.Below("weight"), Weight));
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"Embedding {Weight.Shape[0]} x {Weight.Shape[1]}");
}
