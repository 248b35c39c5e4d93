using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>Brings the names of a checkpoint's tensors to those of Hugging Face, which are the paths of the parameters in the model's tree.</summary>
/// <remarks>
/// <code>
/// embeddings.weight                     layers.0.norm.weight                    lm_head.weight             MambaModel of transformers
/// backbone.embedding.weight             backbone.layers.0.norm.weight           lm_head.weight             state-spaces/mamba
/// module._orig_mod.backbone.embed...    module._orig_mod.backbone.layers...     module._orig_mod.lm_head...    DataParallel, torch.compile
/// model.backbone.embeddings.weight      model.backbone.layers.0.norm.weight     model.lm_head.weight       PyTorch Lightning
/// </code>
/// What stands before the embedding's name is taken off when all names begin with it. The head may stand outside, after a beginning of that prefix.
/// </remarks>
internal static class TensorNames
{
    private const string Root = "backbone.";
    private const string Head = ModelParameters.Head;

    private static readonly string[] embeddings = ["embeddings.weight", "embedding.weight"];

    /// <summary>The tensors under the names of Hugging Face; names that no such model has are kept.</summary>
    /// <exception cref="InvalidDataException">There are two embeddings or heads, or not all names share the embedding's prefix.</exception>
    public static Dictionary<string, Tensor> ToCanonical(IReadOnlyDictionary<string, Tensor> tensors)
    {
        string[] found = [.. tensors.Keys.Where(name => EmbeddingIn(name) is not null)];
        if (found.Length > 1)
        {
            throw new InvalidDataException($"expected one embedding, found {Shortened.List(found)}; save the state_dict of one model");
        }

        if (found.Length == 0)
        {
            return new(tensors);
        }

        string prefix = found[0][..^EmbeddingIn(found[0])!.Length];
        string[] outside = [.. tensors.Keys.Where(name => !HasPrefix(name, prefix) && !IsHead(name, prefix))];
        if (outside.Length > 0)
        {
            throw new InvalidDataException(
                $"expected all names of tensors to have the prefix \"{Shortened.Text(prefix)}\" of {Shortened.Text(found[0])}, found {Shortened.List(outside)}; save the state_dict of the model alone");
        }

        Dictionary<string, Tensor> canonical = new(tensors.Count);
        foreach ((string name, Tensor tensor) in tensors)
        {
            if (!canonical.TryAdd(Canonical(name, prefix), tensor))
            {
                throw new InvalidDataException($"expected one {Canonical(name, prefix)}, found also {Shortened.Text(name)}; save the state_dict of one model");
            }
        }

        return canonical;
    }

    private static string Canonical(string name, string prefix) =>
        IsHead(name, prefix) ? Head : EmbeddingIn(name) is null ? string.Concat(Root, name.AsSpan(prefix.Length)) : ModelParameters.Embedding;

    // A layer or norm deeper down stands under a longer prefix.
    private static bool HasPrefix(string name, string prefix)
    {
        ReadOnlySpan<char> rest = name.AsSpan(prefix.Length <= name.Length ? prefix.Length : 0);
        return name.StartsWith(prefix, StringComparison.Ordinal) && !rest.Contains(".layers.", StringComparison.Ordinal) && !rest.EndsWith(".norm_f.weight", StringComparison.Ordinal);
    }

    // The embedding's own name at the end of a tensor's: whole, or after a dot.
    private static string? EmbeddingIn(string name) => Array.Find(embeddings, end => EndsWithPath(name, end));

    private static bool IsHead(string name, string prefix) => EndsWithPath(name, Head) && prefix.StartsWith(name[..^Head.Length], StringComparison.Ordinal);

    private static bool EndsWithPath(string name, string end) =>
        name.EndsWith(end, StringComparison.Ordinal) && (name.Length == end.Length || name[^(end.Length + 1)] == '.');
}
