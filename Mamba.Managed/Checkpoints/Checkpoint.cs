using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>Model folders as they are published: <c>config.json</c> and the weights beside it.</summary>
/// <remarks>
/// Hugging Face's names are the canonical ones and the paths of the parameters in the model's tree. The original layout differs in one of
/// them, the embedding's.
/// </remarks>
public static class Checkpoint
{
    /// <summary>transformers refuses a file that does not say that its tensors follow PyTorch's conventions.</summary>
    internal static readonly IReadOnlyDictionary<string, string> Metadata = new Dictionary<string, string> { ["format"] = "pt" };

    private const string ConfigName = "config.json";
    private const string Embedding = "backbone.embeddings.weight";
    private const string OriginalEmbedding = "backbone.embedding.weight";
    private const string Head = "lm_head.weight";

    /// <summary>Writes <c>model.safetensors</c>, then <c>config.json</c>, each under a temporary name that is flushed to the disk and renamed.</summary>
    /// <param name="folder">Made where there is none.</param>
    /// <param name="model">Its weights may be mapped from the file that is replaced, except on Windows, which locks it.</param>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    public static void Save(string folder, MambaLanguageModel model)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(model);
        model.Config.Validate();
        Directory.CreateDirectory(folder);
        SafetensorsFile.Save(Path.Combine(folder, TensorFiles.Single), model.Parameters(), Metadata);
        ConfigFile.Write(Path.Combine(folder, ConfigName), model.Config, model.Embeddings.Weight.Type);
    }

    /// <summary>Writes a safetensors file under a temporary name that is flushed to the disk and renamed.</summary>
    /// <param name="path">The file to make or to replace.</param>
    /// <param name="tensors">By name; of Float32, Float16, BFloat16 or Int64.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, or one is named <c>__metadata__</c>, or stores blocks.</exception>
    public static void SaveTensors(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors) => SafetensorsFile.Save(path, tensors);

    /// <summary>The configuration in a model's folder; no weights are looked for.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder lacks the file.</exception>
    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    internal static MambaConfig ReadConfig(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: expected a folder with {ConfigName} and weights, found none");
        }

        string path = Path.Combine(folder, ConfigName);
        return File.Exists(path)
            ? ConfigFile.Read(path)
            : throw new FileNotFoundException($"{folder}: expected {ConfigName} beside the weights, found none", path);
    }

    /// <summary>The model whose tensors are those of a folder.</summary>
    /// <exception cref="InvalidDataException">The tensors are not those that the configuration asks for; all that are not are listed.</exception>
    internal static MambaLanguageModel ToModel(MambaConfig config, IReadOnlyDictionary<string, Tensor> tensors) =>
        MambaLanguageModel.FromTensors(config, Canonical(config, tensors));

    // The tensors under canonical names; a head that repeats a tied embedding is left out.
    private static Dictionary<string, Tensor> Canonical(MambaConfig config, IReadOnlyDictionary<string, Tensor> tensors)
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
}
