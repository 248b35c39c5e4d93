using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>A vector for each token id.</summary>
/// <param name="Weight">[vocab_size, d_model]</param>
public sealed record Embedding(Tensor Weight) : IParameterTree<Embedding>
{
    /// <summary>Looks up a vector for each token.</summary>
    /// <param name="tokens">[length]</param>
    /// <param name="y">[length, d_model]</param>
    /// <exception cref="ArgumentException">An id out of range, or lengths that do not agree.</exception>
    public void Forward(ReadOnlySpan<int> tokens, Span<float> y)
    {
        (int rows, int width) = (Weight.Shape[0], Weight.Shape[1]);
        Throw.UnlessLength(tokens.Length * width, y.Length);
        Tensor single = Weight.ToFloat32();
        ReadOnlySpan<float> weight = single.Floats;
        for (int i = 0; i < tokens.Length; i++)
        {
            if ((uint)tokens[i] >= (uint)rows)
            {
                Throw.Argument(Throw.Invariant($"expected token ids from 0 to {rows - 1}, found {tokens[i]}"), nameof(tokens));
            }

            weight.Slice(tokens[i] * width, width).CopyTo(y[(i * width)..]);
        }

        GC.KeepAlive(single);
    }

    /// <inheritdoc/>
    public Embedding Map(string path, ParameterMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return new(map(path.Below("weight"), Weight));
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"Embedding {Weight.Shape[0]} x {Weight.Shape[1]}");
}
