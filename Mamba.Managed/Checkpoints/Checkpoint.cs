using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>Model folders as they are published: <c>config.json</c> and the weights beside it.</summary>
/// <remarks>
/// Hugging Face's tensor names are the canonical ones, see <c>TensorNames</c>: they are the paths of the parameters in the model's tree.
/// </remarks>
public static class Checkpoint
{
    /// <summary>The metadata that transformers requires of a safetensors file: its tensors follow PyTorch's conventions.</summary>
    internal static readonly IReadOnlyDictionary<string, string> Metadata = new Dictionary<string, string> { ["format"] = "pt" };

    // What peft writes beside the matrices that it adds to those of a model.
    private const string AdapterConfig = "adapter_config.json";

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
        SafetensorsFile.Save(Path.Combine(folder, WeightFiles.Single), model.Parameters(), Metadata);
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
        return File.Exists(path) ? ConfigFile.Read(path) : throw new FileNotFoundException(
            File.Exists(Path.Combine(folder, AdapterConfig))
                ? $"{folder}: expected a model with {ConfigFile.Name}, found an adapter ({AdapterConfig}); merge it into its model and save that"
                : Directory.EnumerateFiles(folder, "*.gguf").Order(StringComparer.Ordinal).FirstOrDefault() is { } gguf
                    ? $"{folder}: expected {ConfigFile.Name} beside the weights, found none; to open {Shortened.Text(Path.GetFileName(gguf))}, give the path of the file itself"
                    : $"{folder}: expected {ConfigFile.Name} beside the weights, found none; download it into this folder",
            path);
    }

    /// <summary>The model of a folder's tensors.</summary>
    /// <remarks>
    /// A head that is stored is used: where its bits differ from the embedding's, the model's configuration says that they are not tied, whatever
    /// the file says. To tie them would change the model's numbers without a word.
    /// </remarks>
    /// <exception cref="InvalidDataException">The tensors do not fit the configuration; the message lists those that differ.</exception>
    internal static MambaLanguageModel ToModel(MambaConfig config, IReadOnlyDictionary<string, Tensor> tensors)
    {
        Dictionary<string, Tensor> canonical = TensorNames.ToCanonical(tensors);
        bool isThere = canonical.TryGetValue(ModelParameters.Head, out Tensor? head);
        if (!isThere && !config.TieEmbeddings)
        {
            throw new InvalidDataException(
                $"expected {ModelParameters.Head}, as {ConfigFile.Name} says that head and embedding are not tied, found none; add it, or set tie_word_embeddings to true if the model has no head of its own");
        }

        if (isThere && config.TieEmbeddings && canonical.TryGetValue(ModelParameters.Embedding, out Tensor? embedding))
        {
            if (head!.HasBytesOf(embedding))
            {
                canonical.Remove(ModelParameters.Head);
            }
            else
            {
                config = config with { TieEmbeddings = false };
            }
        }

        return MambaLanguageModel.FromTensors(config, canonical);
    }
}
