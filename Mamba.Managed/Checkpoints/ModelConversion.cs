using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints;

/// <summary>Takes models from any file that this library reads to the types and files that are wanted.</summary>
public static class ModelConversion
{
    private const int Bytes = 256;

    /// <summary>Loads a model from a folder or a GGUF file.</summary>
    /// <param name="path">A folder with <c>config.json</c> and weights, or a GGUF file.</param>
    /// <exception cref="FileNotFoundException">There is neither, or the folder lacks a file.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or its tensors do not fit its configuration.</exception>
    public static MambaLanguageModel Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Directory.Exists(path) ? Checkpoint.Load(path)
            : File.Exists(path) ? GgufCheckpoint.Load(path)
            : throw Neither(path);
    }

    /// <summary>Writes a model as a GGUF file that llama.cpp reads too.</summary>
    /// <param name="source">A folder or a GGUF file.</param>
    /// <param name="destination">The file; replaced when it exists.</param>
    /// <param name="type">Which types the tensors take.</param>
    /// <param name="vocabulary">
    /// The tokenizer to carry; null for that of the source, or of bytes where the model has 256 tokens and no tokenizer of its own.
    /// </param>
    /// <param name="threads">Threads that quantize; 0 for one per processor.</param>
    /// <param name="matrices">Types that single matrices take instead, by their names in the model, as a <c>quantize-report</c> has them; null for none.</param>
    /// <exception cref="FileNotFoundException">There is no such source.</exception>
    /// <exception cref="InvalidDataException">The source is malformed, or its tokenizer of a kind that is not supported.</exception>
    /// <exception cref="ArgumentException">As of <see cref="GgufCheckpoint.Save"/>.</exception>
    public static void ToGguf(
        string source, string destination, GgufFileType type, GgufVocabulary? vocabulary = null, int threads = 0,
        IReadOnlyDictionary<string, ElementType>? matrices = null)
    {
        MambaLanguageModel model = Load(source);
        GgufMetadata? metadata = Directory.Exists(source) ? null : GgufFile.Open(source).Metadata;
        vocabulary ??= metadata is null ? OfFolder(source, model.Config) : GgufVocabulary.Read(metadata);
        vocabulary ??= model.Config.VocabSize == Bytes ? GgufVocabulary.OfBytes() with { EndTokenId = model.Config.EndTokenId } : null;
        string name = metadata?.GetString("general.name") ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source)));
        GgufCheckpoint.Save(destination, model, type, vocabulary, name, threads, matrices);
    }

    /// <summary>Writes a model as a folder as of <see cref="Checkpoint.Save"/>, with <c>tokenizer.json</c> where the source has a tokenizer.</summary>
    /// <remarks>That of a folder is copied as it is, of whatever kind it may be.</remarks>
    /// <param name="source">A folder or a GGUF file.</param>
    /// <param name="destination">The folder; what it holds of a model is replaced, and a tokenizer removed where the source has none.</param>
    /// <param name="type">Float32, Float16 or BFloat16.</param>
    /// <param name="threads">Threads that convert; 0 for one per processor.</param>
    /// <exception cref="FileNotFoundException">There is no such source.</exception>
    /// <exception cref="InvalidDataException">The source is malformed, or the tokenizer of a GGUF file of a kind that is not supported.</exception>
    /// <exception cref="ArgumentException">The type stores blocks or integers.</exception>
    public static void ToFolder(string source, string destination, ElementType type, int threads = 0)
    {
        MambaLanguageModel model = Load(source);
        string path = Path.Combine(source, Tokenizer.FileName), copy = Path.Combine(destination, Tokenizer.FileName);
        byte[]? file = File.Exists(path) ? File.ReadAllBytes(path) : null;
        GgufVocabulary? vocabulary = Directory.Exists(source) ? null : GgufVocabulary.Read(GgufFile.Open(source).Metadata);
        TokenizerParts? parts = vocabulary is null or { IsBytes: true } ? null : TokenizerParts.FromGguf(vocabulary);
        Checkpoint.Save(destination, model.ConvertTo(type, threads));
        if (file is not null)
        {
            AtomicFile.Write(copy, stream => stream.Write(file));
        }
        else if (parts is not null)
        {
            TokenizerFile.Write(copy, parts);
        }
        else
        {
            // One that was left would be taken for this model's.
            File.Delete(copy);
        }
    }

    /// <summary>The model with every parameter in one type, for files that hold no blocks.</summary>
    /// <param name="model">Of any types.</param>
    /// <param name="type">Float32, Float16 or BFloat16.</param>
    /// <param name="threads">Threads that convert; 0 for one per processor.</param>
    /// <exception cref="ArgumentException">The type stores blocks or integers.</exception>
    public static MambaLanguageModel ConvertTo(this MambaLanguageModel model, ElementType type, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(model);
        return type.IsQuantized() || type == ElementType.Int64
            ? Throw.Argument<MambaLanguageModel>($"expected Float32, Float16 or BFloat16, found {type}; a GGUF file holds quantized models", nameof(type))
            : model.Map("", (_, tensor) => tensor.ConvertTo(type, threads));
    }

    /// <summary>Takes each parameter to the type that it would have in a GGUF file, for <see cref="MambaLanguageModel.Map"/> and <see cref="MambaLanguageModel.Create"/>.</summary>
    /// <param name="type">Which types the tensors take.</param>
    /// <param name="config">The model's sizes.</param>
    /// <param name="threads">Threads that convert; 0 for one per processor. Their number does not change the bits.</param>
    /// <param name="release">Whether a tensor gives its memory back once another took its place: the model as it was is gone then.</param>
    public static ParameterMap Converter(GgufFileType type, MambaConfig config, int threads = 0, bool release = false)
    {
        ArgumentNullException.ThrowIfNull(config);
        Dictionary<string, ParameterInfo> infos = ModelParameters.Of(config.Validate()).ToDictionary(parameter => parameter.Path, parameter => parameter.Info);
        return (path, tensor) =>
        {
            ParameterInfo info = infos.GetValueOrDefault(path) ?? throw new ArgumentException($"{path}: expected a parameter of a model of this configuration", nameof(path));
            Tensor converted = tensor.ConvertTo(GgufTypeMix.TypeOf(type, info, tensor.Shape[^1], config.TieEmbeddings), threads);
            if (release && !ReferenceEquals(converted, tensor))
            {
                tensor.Buffer.Dispose();
            }

            return converted;
        };
    }

    /// <summary>The configuration of a model in a folder or a GGUF file, without its weights.</summary>
    /// <exception cref="FileNotFoundException">There is neither, or the folder lacks its configuration.</exception>
    /// <exception cref="InvalidDataException">The configuration is malformed, or the file.</exception>
    internal static MambaConfig ReadConfig(string path) =>
        Directory.Exists(path) ? Checkpoint.ReadConfig(path)
        : File.Exists(path) ? GgufCheckpoint.ReadConfig(path)
        : throw Neither(path);

    private static FileNotFoundException Neither(string path) => new($"{path}: expected a model folder or a GGUF file, found neither", path);

    // Null where there is no tokenizer.json.
    private static GgufVocabulary? OfFolder(string folder, MambaConfig config)
    {
        string path = Path.Combine(folder, Tokenizer.FileName);
        try
        {
            return File.Exists(path) ? TokenizerFile.Read(path, config.EndTokenId).ToGguf() : null;
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{error.Message}; move the file away to convert the model without a tokenizer", error);
        }
    }
}
