using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>The name and the shape of every tensor that a configuration asks for: the Hugging Face names are the canonical ones.</summary>
internal static class ParameterLayout
{
    /// <summary>The token embedding.</summary>
    public const string Embedding = "backbone.embeddings.weight";

    /// <summary>The output head, present only where it is not the embedding.</summary>
    public const string Head = "lm_head.weight";

    private const string OriginalEmbedding = "backbone.embedding.weight";

    /// <summary>Every parameter with its shape, in the order of the model.</summary>
    public static IEnumerable<(string Name, int[] Shape)> Of(MambaConfig config)
    {
        yield return (Embedding, [config.VocabSize, config.DModel]);
        for (int layer = 0; layer < config.NLayer; layer++)
        {
            string block = Throw.Invariant($"backbone.layers.{layer}.");
            yield return (block + "norm.weight", [config.DModel]);
            foreach ((string name, int[] shape) in OfMixer(config))
            {
                yield return (block + "mixer." + name, shape);
            }
        }

        yield return ("backbone.norm_f.weight", [config.DModel]);
        if (!config.TieEmbeddings)
        {
            yield return (Head, [config.VocabSize, config.DModel]);
        }
    }

    /// <summary>The same tensors under canonical names; a head that repeats a tied embedding is left out.</summary>
    /// <exception cref="InvalidDataException">The embedding appears under both of its names, or a repeated head has another shape.</exception>
    public static Dictionary<string, Tensor> Canonical(MambaConfig config, IReadOnlyDictionary<string, Tensor> tensors)
    {
        Dictionary<string, Tensor> canonical = new(tensors.Count);
        foreach ((string name, Tensor tensor) in tensors)
        {
            if (!canonical.TryAdd(name == OriginalEmbedding ? Embedding : name, tensor))
            {
                throw new InvalidDataException($"expected one of {Embedding} and {OriginalEmbedding}, found both");
            }
        }

        if (config.TieEmbeddings && canonical.TryGetValue(Embedding, out Tensor? embedding) && canonical.Remove(Head, out Tensor? head)
            && !head.HasShape(embedding.Shape))
        {
            throw new InvalidDataException($"{Head}: expected the shape of the embedding that it is tied to, {embedding}, found {head}");
        }

        return canonical;
    }

    /// <summary>Checks that the tensors are exactly those that the configuration asks for.</summary>
    /// <returns>Null, or one line that lists every missing, unknown and wrongly shaped tensor.</returns>
    public static string? Mismatch(MambaConfig config, IReadOnlyDictionary<string, Tensor> tensors)
    {
        List<string> missing = [], wrong = [];
        HashSet<string> unknown = [.. tensors.Keys];
        foreach ((string name, int[] shape) in Of(config))
        {
            if (!unknown.Remove(name))
            {
                missing.Add(name);
            }
            else if (!tensors[name].HasShape(shape) || tensors[name].Type == ElementType.Int64)
            {
                wrong.Add($"{name} (expected floats [{string.Join(", ", shape)}], found {tensors[name]})");
            }
        }

        string[] faults = [.. List("missing", missing), .. List("unknown", unknown), .. List("wrong", wrong)];
        return faults.Length == 0 ? null : "the tensors do not fit the configuration: " + string.Join("; ", faults);
    }

    private static IEnumerable<(string Name, int[] Shape)> OfMixer(MambaConfig config)
    {
        int inner = config.DInner;
        yield return ("in_proj.weight", [2 * inner, config.DModel]);
        if (config.InProjBias)
        {
            yield return ("in_proj.bias", [2 * inner]);
        }

        yield return ("conv1d.weight", [inner, 1, config.DConv]);
        if (config.ConvBias)
        {
            yield return ("conv1d.bias", [inner]);
        }

        yield return ("x_proj.weight", [config.DtRank + (2 * config.DState), inner]);
        yield return ("dt_proj.weight", [inner, config.DtRank]);
        yield return ("dt_proj.bias", [inner]);
        yield return ("A_log", [inner, config.DState]);
        yield return ("D", [inner]);
        yield return ("out_proj.weight", [config.DModel, inner]);
        if (config.OutProjBias)
        {
            yield return ("out_proj.bias", [config.DModel]);
        }
    }

    private static IEnumerable<string> List(string fault, IReadOnlyCollection<string> names) =>
        names.Count == 0 ? [] : [$"{fault}: {string.Join(", ", names)}"];
}
