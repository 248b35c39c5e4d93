using CommunityToolkit.HighPerformance;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>A vector for each token id.</summary>
public sealed record Embedding : IParameterTree<Embedding>
{
    /// <summary>Makes a layer of its tensor.</summary>
    /// <param name="weight">[vocab_size, d_model]</param>
    /// <exception cref="ArgumentException">The weight is no matrix of floating-point numbers.</exception>
    public Embedding(Tensor weight)
    {
        Weight = weight;
        Validate("");
    }

    /// <summary>[vocab_size, d_model]</summary>
    public Tensor Weight
    {
        get;
        init => field = ShapeCheck.Present(value, "weight", ShapeCheck.Any, ShapeCheck.Any);
    }

    /// <summary>Looks up a vector for each token.</summary>
    /// <param name="tokens">[length]</param>
    /// <param name="y">[length, d_model]</param>
    /// <exception cref="ArgumentException">An id out of range, or shapes that do not agree.</exception>
    public void Forward(ReadOnlySpan<int> tokens, Span2D<float> y)
    {
        Validate("");
        (int rows, int width) = (Weight.Shape[0], Weight.Shape[1]);
        SpanRows.Require(y, tokens.Length, width);
        for (int i = 0; i < tokens.Length; i++)
        {
            // Read once: another thread may write the span meanwhile.
            int token = tokens[i];
            RequireTokens([token], rows);
            Weight.CopyTo(token * width, y.GetRowSpan(i));
        }
    }

    /// <summary>Throws unless every token is an id of the vocabulary.</summary>
    internal static void RequireTokens(ReadOnlySpan<int> tokens, int vocabulary)
    {
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)vocabulary)
            {
                Throw.Argument(Throw.Invariant($"expected token ids from 0 to {vocabulary - 1}, found {token}"), nameof(tokens));
            }
        }
    }

    /// <inheritdoc/>
    public Embedding Map(string path, ParameterMap map)
    {
        Embedding mapped = MapDescribed(path, map.Described());
        mapped.Validate(path);
        return mapped;
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() => Throw.Invariant($"Embedding {ShapeCheck.Size(Weight, 0)} x {ShapeCheck.Size(Weight, 1)}");

    internal Embedding MapDescribed(string path, DescribedMap map) => this with { Weight = map(path.Below("weight"), Weight, ParameterInfo.Embedding) };

    internal void Validate(string path) => ShapeCheck.Require(Weight, path.Below("weight"), ShapeCheck.Any, ShapeCheck.Any);
}
