using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>The two ends of a language model, tokens to vectors and vectors to logits, which may share one tensor.</summary>
/// <remarks>A shared tensor is one object: one copy in memory, one entry in a file, one gradient, and it is mapped once.</remarks>
/// <param name="Embedding">Token ids to vectors.</param>
/// <param name="Head">Vectors to logits; null where the embedding's tensor serves as head too.</param>
public sealed record Shared(Embedding Embedding, Linear? Head = null) : IParameterTree<Shared>
{
    /// <summary>Whether both ends are one tensor.</summary>
    public bool IsTied => Head is null;

    /// <summary>The matrix of the head: [vocab_size, d_model].</summary>
    public Tensor HeadWeight => Head?.Weight ?? Embedding.Weight;

    /// <summary>The vectors of tokens.</summary>
    /// <param name="tokens">[length]</param>
    /// <param name="y">[length, d_model]</param>
    /// <exception cref="ArgumentException">An id out of range, or lengths that do not agree.</exception>
    public void Embed(ReadOnlySpan<int> tokens, Span<float> y) => Embedding.Forward(tokens, y);

    /// <summary>The logits of vectors.</summary>
    /// <param name="x">[length, d_model]</param>
    /// <param name="logits">[length, vocab_size]; must not overlap <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">The lengths do not agree.</exception>
    public void Project(ReadOnlySpan<float> x, Span<float> logits) => (Head ?? new Linear(Embedding.Weight)).Forward(x, logits);

    /// <inheritdoc/>
    /// <remarks>The names are those of checkpoints, where the ends are not neighbors: <c>backbone.embeddings</c> and <c>lm_head</c>.</remarks>
    public Shared Map(string path, ParameterMap map) =>
        new(Embedding.Map(path.Below("backbone.embeddings"), map), Head?.Map(path.Below("lm_head"), map));

    /// <summary>One line: the embedding, and whether it is the head too.</summary>
    public override string ToString() => IsTied ? $"Shared {Embedding}" : $"{Embedding} and {Head}";
}
