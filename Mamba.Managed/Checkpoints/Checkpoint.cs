using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>A folder with a published model: its configuration, and its tensors mapped for reading under canonical names.</summary>
/// <remarks>
/// Both layouts give the same names, those of Hugging Face: <c>backbone.embeddings.weight</c>, <c>backbone.layers.I.norm.weight</c>,
/// <c>backbone.layers.I.mixer.*</c>, <c>backbone.norm_f.weight</c>, and <c>lm_head.weight</c> where it is not the embedding.
/// Every tensor that the configuration asks for is there, with its shape, and no other.
/// </remarks>
public sealed class Checkpoint : IDisposable
{
    private const string ConfigName = "config.json";

    private readonly TensorFiles files;

    private Checkpoint(MambaConfig config, IReadOnlyDictionary<string, Tensor> tensors, TensorFiles files)
    {
        Config = config;
        Tensors = tensors;
        this.files = files;
    }

    /// <summary>The model's sizes and options.</summary>
    public MambaConfig Config { get; }

    /// <summary>The parameters by name. Each owns its mapping: disposing its buffer gives its pages back.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors { get; }

    /// <summary>Maps a folder that holds <c>config.json</c> and <c>model.safetensors</c>, an index with its shards, or <c>pytorch_model.bin</c>.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder lacks a file.</exception>
    /// <exception cref="InvalidDataException">A file is malformed or unsupported, or the tensors are not those that the configuration asks for.</exception>
    public static Checkpoint Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: expected a folder with {ConfigName} and weights, found none");
        }

        string configPath = Path.Combine(folder, ConfigName);
        if (!File.Exists(configPath))
        {
            throw new FileNotFoundException($"{folder}: expected {ConfigName} beside the weights, found none", configPath);
        }

        MambaConfig config = ConfigFile.Read(configPath);
        TensorFiles files = TensorFiles.Open(folder);
        try
        {
            return new Checkpoint(config, Fit(folder, config, files.Tensors), files);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>Writes <c>model.safetensors</c>, then <c>config.json</c>, each under a temporary name that is flushed to the disk and renamed.</summary>
    /// <param name="folder">Made where there is none.</param>
    /// <param name="config">The model's sizes and options.</param>
    /// <param name="tensors">Every parameter under its canonical name. They may be mapped from the file that is replaced, except on Windows, which locks it.</param>
    /// <exception cref="ArgumentException">The tensors are not those that the configuration asks for.</exception>
    /// <exception cref="InvalidDataException">The configuration is not valid.</exception>
    public static void Save(string folder, MambaConfig config, IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(config);
        Dictionary<string, Tensor> parameters = new(tensors);
        if (ParameterLayout.Mismatch(config.Validate(), parameters) is { } mismatch)
        {
            Throw.Argument(mismatch, nameof(tensors));
        }

        Directory.CreateDirectory(folder);

        // transformers refuses a file that does not say that its tensors follow PyTorch's conventions.
        Dictionary<string, string> metadata = new() { ["format"] = "pt" };
        SafetensorsFile.Save(Path.Combine(folder, TensorFiles.Single), parameters, metadata);
        ConfigFile.Write(Path.Combine(folder, ConfigName), config, parameters[ParameterLayout.Embedding].Type);
    }

    /// <summary>Unmaps every tensor; none of them may be used afterwards.</summary>
    public void Dispose() => files.Dispose();

    private static Dictionary<string, Tensor> Fit(string folder, MambaConfig config, IReadOnlyDictionary<string, Tensor> found)
    {
        Dictionary<string, Tensor> tensors = ParameterLayout.Canonical(config, found);
        return ParameterLayout.Mismatch(config, tensors) is { } mismatch
            ? throw new InvalidDataException($"{folder}: {mismatch}")
            : tensors;
    }
}
