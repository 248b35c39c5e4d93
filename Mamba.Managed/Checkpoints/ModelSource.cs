using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints;

/// <summary>A model in a folder or a GGUF file, opened once: configuration, tokenizer and weights.</summary>
/// <remarks>
/// The weights stay in the mapped files until the source is disposed. That disposes the model and its tensors; configuration and tokenizer remain
/// usable. Any number of threads may use a source.
/// </remarks>
public sealed class ModelSource : IDisposable
{
    private readonly Lock weightsGate = new();
    private readonly Lock tokenizerGate = new();
    private readonly GgufFile? gguf;
    private readonly MambaConfig config;
    private TensorFiles? files;
    private volatile MambaLanguageModel? model;
    private ModelFingerprint fingerprint;
    private Tokenizer? tokenizer;
    private bool disposed;

    private ModelSource(string path, GgufFile? gguf, MambaConfig config) => (FilePath, this.gguf, this.config) = (path, gguf, config);

    /// <summary>The folder or the file.</summary>
    public string FilePath { get; }

    /// <summary>
    /// The model's sizes and options, as the file states them; once <see cref="Model"/> has been made, those of the model: a stored head that
    /// differs from the embedding is not tied to it, whatever the file says.
    /// </summary>
    public MambaConfig Config => model?.Config ?? config;

    /// <summary>
    /// The tokenizer: the <c>tokenizer.json</c> of the folder, or that of the GGUF file; bytes if there is none and the vocabulary is 256. Made at
    /// first use.
    /// </summary>
    /// <exception cref="FileNotFoundException">The folder has no <c>tokenizer.json</c> and the vocabulary is not 256.</exception>
    /// <exception cref="InvalidDataException">The tokenizer is damaged, not supported, absent, or has more tokens than the model.</exception>
    public Tokenizer Tokenizer
    {
        get
        {
            lock (tokenizerGate)
            {
                return tokenizer ??= gguf is null ? ModelTokenizer.Load(FilePath, Config) : ModelTokenizer.Of(FilePath, gguf.Metadata, Config);
            }
        }
    }

    /// <summary>
    /// The texts of the model's chat templates by name, as <c>default</c> or <c>tool_use</c>; empty where it has none. They are read at each call and not
    /// parsed: <see cref="Templates.ChatTemplate.Parse"/> does that.
    /// </summary>
    /// <exception cref="InvalidDataException">A file that holds templates is malformed; for a GGUF file, a value has the wrong type.</exception>
    public IReadOnlyDictionary<string, string> ChatTemplates => gguf is null ? Checkpoints.ChatTemplates.OfFolder(FilePath) : Checkpoints.ChatTemplates.OfFile(gguf.Metadata);

    /// <summary>The model; its weights are read from the mapped files when they are touched. Made at first use.</summary>
    /// <exception cref="FileNotFoundException">A file is missing in the folder.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or the tensors do not fit the configuration; the message lists all that differ.</exception>
    /// <exception cref="ObjectDisposedException">The source has been disposed.</exception>
    public MambaLanguageModel Model
    {
        get
        {
            lock (weightsGate)
            {
                ObjectDisposedException.ThrowIf(disposed, this);
                if (model is null)
                {
                    // Computed now: an executor that takes over the weights disposes them.
                    MambaLanguageModel built = Build();
                    (model, fingerprint) = (built, ModelFingerprint.Of(built));
                }

                return model;
            }
        }
    }

    /// <summary>The fingerprint of <see cref="Model"/>, which saved states are bound to.</summary>
    /// <exception cref="FileNotFoundException">See <see cref="Model"/>.</exception>
    /// <exception cref="InvalidDataException">See <see cref="Model"/>.</exception>
    /// <exception cref="ObjectDisposedException">The source has been disposed.</exception>
    public ModelFingerprint Fingerprint
    {
        get
        {
            lock (weightsGate)
            {
                _ = Model;
                return fingerprint;
            }
        }
    }

    /// <summary>The files that hold the weights: shards of a folder, parts of a GGUF file. A folder's are known once <see cref="Model"/> has been made.</summary>
    internal IReadOnlyList<string> WeightPaths => gguf?.Paths ?? files?.Paths ?? [];

    /// <summary>The metadata of a GGUF file; null for a folder.</summary>
    internal GgufMetadata? Metadata => gguf?.Metadata;

    /// <summary>Opens a model and reads its configuration.</summary>
    /// <param name="path">
    /// A folder with <c>config.json</c> in the layout of Hugging Face or of state-spaces/mamba, and <c>model.safetensors</c>, an index with its
    /// shards, <c>pytorch_model.bin</c> or its index, or one file of weights under another name; or a GGUF file of the architecture <c>mamba</c>:
    /// Mamba, or Falcon-Mamba with <c>dt_b_c_rms</c>. Of a GGUF file in parts any part.
    /// </param>
    /// <exception cref="FileNotFoundException">The path does not exist, or the folder has no configuration.</exception>
    /// <exception cref="InvalidDataException">The configuration or the GGUF file is malformed or not supported.</exception>
    public static ModelSource Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            return new ModelSource(path, null, Checkpoint.ReadConfig(path));
        }

        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: expected a model folder or a GGUF file, found neither", path);
        }

        GgufFile file = GgufFile.Open(path);
        try
        {
            return new ModelSource(path, file, GgufConfig.Read(file));
        }
        catch (InvalidDataException error)
        {
            file.Dispose();
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>Disposes the model's tensors and unmaps the files, after reads in progress on other threads.</summary>
    public void Dispose()
    {
        lock (weightsGate)
        {
            disposed = true;
            model?.DisposeParameters();
            files?.Dispose();
            gguf?.Dispose();
        }
    }

    private MambaLanguageModel Build()
    {
        files = gguf is null ? TensorFiles.Open(FilePath) : null;
        try
        {
            return files is null ? GgufCheckpoint.ToModel(gguf!) : Checkpoint.ToModel(config, files.Tensors);
        }
        catch (InvalidDataException error)
        {
            files?.Dispose();
            if (error.Message.StartsWith(FilePath, StringComparison.Ordinal))
            {
                throw;
            }

            throw new InvalidDataException($"{FilePath}: {error.Message}", error);
        }
    }
}
