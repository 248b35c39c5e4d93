using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>Model folders as they are published: <c>config.json</c> and the weights beside it.</summary>
/// <remarks>
/// Hugging Face's tensor names are the canonical ones: they are the paths of the parameters in the model's tree. The layout of
/// state-spaces/mamba differs in one name, that of the embedding.
/// </remarks>
public static class Checkpoint
{
    /// <summary>The metadata that transformers requires of a safetensors file: its tensors follow PyTorch's conventions.</summary>
    internal static readonly IReadOnlyDictionary<string, string> Metadata = new Dictionary<string, string> { ["format"] = "pt" };

    // What peft writes beside the matrices that it adds to those of a model.
    private const string AdapterConfig = "adapter_config.json";
    private const string Embedding = ModelParameters.Embedding;
    private const string OriginalEmbedding = "backbone.embedding.weight";

    /// <summary>Writes <c>model.safetensors</c>, then <c>config.json</c>, each to a temporary file that is flushed to the disk and renamed.</summary>
    /// <param name="folder">Created if it does not exist.</param>
    /// <param name="model">Its weights may be mapped from the file that is replaced, except on Windows, which locks it.</param>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    public static void Save(string folder, MambaLanguageModel model)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(model);
        model.Config.Validate();
        DurableFolder.Create(folder);
        SafetensorsFile.Save(Path.Combine(folder, TensorFiles.Single), model.Parameters(), Metadata);
        ConfigFile.Write(Path.Combine(folder, ConfigFile.Name), model.Config, model.Embeddings.Weight.Type);
    }

    /// <summary>Writes a safetensors file: to a temporary file that is flushed to the disk and renamed.</summary>
    /// <param name="path">The file to create or to replace.</param>
    /// <param name="tensors">By name; of Float32, Float16, BFloat16 or Int64.</param>
    /// <exception cref="ArgumentException">Two tensors have the same name, or a tensor is named <c>__metadata__</c> or quantized.</exception>
    public static void SaveTensors(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors) => SafetensorsFile.Save(path, tensors);

    /// <summary>Reads the configuration in a model's folder; the folder need not contain weights.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The file is missing in the folder.</exception>
    /// <exception cref="InvalidDataException">The file is malformed.</exception>
    internal static MambaConfig ReadConfig(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: expected a folder with {ConfigFile.Name} and weights, found none");
        }

        string path = Path.Combine(folder, ConfigFile.Name);
        return File.Exists(path)
            ? ConfigFile.Read(path)
            : throw new FileNotFoundException(
                File.Exists(Path.Combine(folder, AdapterConfig))
                    ? $"{folder}: expected a model with {ConfigFile.Name}, found an adapter ({AdapterConfig}); merge it into its model and save that"
                    : $"{folder}: expected {ConfigFile.Name} beside the weights, found none",
                path);
    }

    /// <summary>The model of a folder's tensors.</summary>
    /// <exception cref="InvalidDataException">The tensors do not fit the configuration; the message lists all that differ.</exception>
    internal static MambaLanguageModel ToModel(MambaConfig config, IReadOnlyDictionary<string, Tensor> tensors) =>
        MambaLanguageModel.FromTensors(config, Canonical(config, tensors));

    // The tensors under canonical names; a head that is a copy of a tied embedding is left out.
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

        if (config.TieEmbeddings && canonical.TryGetValue(Embedding, out Tensor? embedding) && canonical.Remove(ModelParameters.Head, out Tensor? head)
            && !head.HasShape(embedding.Shape))
        {
            throw new InvalidDataException($"{ModelParameters.Head}: expected the shape of the embedding that it is tied to, {embedding}, found {head}");
        }

        return canonical;
    }
}
