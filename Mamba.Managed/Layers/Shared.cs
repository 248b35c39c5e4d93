using CommunityToolkit.HighPerformance;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>The two ends of a language model, tokens to vectors and vectors to logits, which may share one tensor.</summary>
/// <remarks>A shared tensor is one object: one copy in memory, one entry in a file, one gradient, and it is mapped once.</remarks>
public sealed record Shared : IParameterTree<Shared>
{
    /// <summary>Makes the two ends.</summary>
    /// <param name="embedding">Token ids to vectors.</param>
    /// <param name="head">Vectors to logits; null for a tied head, which uses the embedding's tensor.</param>
    /// <exception cref="ArgumentException">Embedding and head are of different sizes.</exception>
    public Shared(Embedding embedding, Linear? head = null)
    {
        (Embedding, Head) = (embedding, head);
        Validate("");
    }

    /// <summary>Token ids to vectors.</summary>
    public Embedding Embedding
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>Vectors to logits; null for a tied head, which uses the embedding's tensor.</summary>
    public Linear? Head { get; init; }

    /// <summary>Whether embedding and head share one tensor.</summary>
    public bool IsTied => Head is null;

    /// <summary>The matrix of the head: [vocab_size, d_model].</summary>
    public Tensor HeadWeight => Head?.Weight ?? Embedding.Weight;

    /// <summary>The vectors of tokens.</summary>
    /// <param name="tokens">[length]</param>
    /// <param name="y">[length, d_model]</param>
    /// <exception cref="ArgumentException">An id out of range, or shapes that do not agree.</exception>
    public void Embed(ReadOnlySpan<int> tokens, Span2D<float> y) => Embedding.Forward(tokens, y);

    /// <summary>The logits of vectors.</summary>
    /// <param name="x">[length, d_model]</param>
    /// <param name="logits">[length, vocab_size]; must not overlap <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">The shapes do not agree.</exception>
    public void Project(ReadOnlySpan2D<float> x, Span2D<float> logits) => (Head ?? new Linear(Embedding.Weight)).Forward(x, logits);

    /// <inheritdoc/>
    /// <remarks>The names are those of checkpoints, where the ends are not neighbors: <c>backbone.embeddings</c> and <c>lm_head</c>.</remarks>
    public Shared Map(string path, ParameterMap map)
    {
        Shared mapped = MapDescribed(path, map.Described());
        mapped.Validate(path);
        return mapped;
    }

    /// <summary>One line: the embedding, and the head where it is not tied.</summary>
    public override string ToString() => IsTied ? $"Shared {Embedding}" : $"{Embedding} and {Head}";

    internal Shared MapDescribed(string path, DescribedMap map) => this with
    {
        Embedding = Embedding.MapDescribed(path.Below("backbone.embeddings"), map),
        Head = Head?.MapDescribed(path.Below("lm_head"), map, ParameterInfo.Head),
    };

    private void Validate(string path)
    {
        Embedding.Validate(path.Below("backbone.embeddings"));
        Head?.Validate(path.Below("lm_head"), Embedding.Weight.Shape[0], Embedding.Weight.Shape[1]);
    }
}
