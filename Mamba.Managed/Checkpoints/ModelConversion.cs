using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Checkpoints;

/// <summary>Converts models between files and element types.</summary>
public static class ModelConversion
{
    

    /// <summary>Writes a model as a GGUF file that llama.cpp reads too, with its tokenizer; a model of 256 tokens without one gets the byte tokenizer.</summary>
    /// <param name="source">A folder or a GGUF file.</param>
    /// <param name="destination">The file; replaced when it exists.</param>
    /// <param name="type">Which types the tensors take.</param>
    /// <param name="threads">Threads that quantize; 0 for one per processor. Their number does not change the file.</param>
    /// <param name="matrices">Other types for single matrices, by their names in the model, for example those of a <c>quantize-report</c>; null for none.</param>
    /// <exception cref="FileNotFoundException">There is no such source.</exception>
    /// <exception cref="InvalidDataException">The source is malformed, or its tokenizer of a kind that is not supported.</exception>
    /// <exception cref="ArgumentException">
    /// A weight is not finite, the tokenizer has more tokens than the embedding, or <paramref name="matrices"/> contains a name that is no matrix of
    /// the model, or a type whose blocks do not divide its rows.
    /// </exception>
    public static void ToGguf(
        string source, string destination, GgufFileType type, int threads = 0, IReadOnlyDictionary<string, ElementType>? matrices = null)
    {
        using ModelSource opened = ModelSource.Open(source);
        GgufVocabulary? vocabulary = opened.Metadata is { } metadata ? GgufVocabulary.Read(metadata) : OfFolder(source, opened.Config);
        vocabulary ??= opened.Config.VocabSize == ByteTokenizer.Size ? GgufVocabulary.OfBytes() with { EndTokenId = opened.Config.EndTokenId } : null;
        string name = opened.Metadata?.GetString("general.name") ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source)));
        GgufCheckpoint.Save(destination, opened.Model, type, vocabulary, name, threads, matrices);
    }

    /// <summary>Writes a model as a folder, see <see cref="Checkpoint.Save"/>, with <c>tokenizer.json</c> if the source has a tokenizer.</summary>
    /// <remarks>A folder's <c>tokenizer.json</c> is copied unchanged, even of a kind that is not supported.</remarks>
    /// <param name="source">A folder or a GGUF file.</param>
    /// <param name="destination">The folder; a model in it is replaced, and its tokenizer is removed if the source has none.</param>
    /// <param name="type">Float32, Float16 or BFloat16.</param>
    /// <param name="threads">Threads that convert; 0 for one per processor.</param>
    /// <exception cref="FileNotFoundException">There is no such source.</exception>
    /// <exception cref="InvalidDataException">The source is malformed, or the tokenizer of a GGUF file of a kind that is not supported.</exception>
    /// <exception cref="ArgumentException">The type stores blocks or integers.</exception>
    public static void ToFolder(string source, string destination, ElementType type, int threads = 0)
    {
        using ModelSource opened = ModelSource.Open(source);
        string path = Path.Combine(source, ModelTokenizer.FileName), copy = Path.Combine(destination, ModelTokenizer.FileName);
        byte[]? file = File.Exists(path) ? File.ReadAllBytes(path) : null;
        GgufVocabulary? vocabulary = opened.Metadata is { } metadata ? GgufVocabulary.Read(metadata) : null;
        TokenizerParts? parts = vocabulary is null or { IsBytes: true } ? null : vocabulary.ToParts();
        MambaLanguageModel converted = opened.Model.ConvertTo(type, threads);
        Checkpoint.Save(destination, converted);
        converted.DisposeParameters();
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
            // A tokenizer of a model that was here before would be taken for this model's.
            File.Delete(copy);
        }
    }

    /// <summary>The model with every parameter in one type that is not quantized.</summary>
    /// <param name="model">Of any types.</param>
    /// <param name="type">Float32, Float16 or BFloat16.</param>
    /// <param name="threads">Threads that convert; 0 for one per processor.</param>
    /// <exception cref="ArgumentException">The type is quantized or Int64.</exception>
    public static MambaLanguageModel ConvertTo(this MambaLanguageModel model, ElementType type, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(model);
        return type.IsQuantized() || type == ElementType.Int64
            ? Throw.Argument<MambaLanguageModel>($"expected Float32, Float16 or BFloat16, found {type}; a GGUF file holds quantized models", nameof(type))
            : model.Map("", (_, tensor) => tensor.ConvertTo(type, threads));
    }

    /// <summary>The model with every parameter in its type of a GGUF file.</summary>
    /// <param name="model">Of any types.</param>
    /// <param name="type">Which types the tensors take.</param>
    /// <param name="threads">Threads that convert; 0 for one per processor. Their number does not change the bits.</param>
    /// <param name="release">
    /// Whether the memory of a tensor is freed once all parameters that share it are converted, so that the model is never in memory twice; the
    /// original model must not be used afterwards.
    /// </param>
    /// <exception cref="ArgumentException">A quantized type is to hold a value that is not finite or beyond 65504.</exception>
    public static MambaLanguageModel ConvertTo(this MambaLanguageModel model, GgufFileType type, int threads = 0, bool release = false)
    {
        ArgumentNullException.ThrowIfNull(model);
        ParameterMap convert = Converter(type, model.Config, threads);
        if (!release)
        {
            return model.Map("", convert);
        }

        // A tensor that has its type already is returned itself: its buffer stays in use and is not freed.
        BufferUses uses = new(model.Parameters().Select(parameter => parameter.Value));
        return model.Map("", (path, tensor) =>
        {
            Tensor converted = convert(path, tensor);
            if (!ReferenceEquals(converted, tensor))
            {
                uses.Done(tensor);
            }

            return converted;
        });
    }

    /// <summary>A map that converts each parameter to its type of a GGUF file, for <see cref="MambaLanguageModel.Map"/> and <see cref="MambaLanguageModel.Create"/>.</summary>
    /// <param name="type">Which types the tensors take.</param>
    /// <param name="config">The model's sizes.</param>
    /// <param name="threads">Threads that convert; 0 for one per processor. Their number does not change the bits.</param>
    public static ParameterMap Converter(GgufFileType type, MambaConfig config, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(config);
        Dictionary<string, ParameterInfo> infos = ModelParameters.Of(config.Validate()).ToDictionary(parameter => parameter.Path, parameter => parameter.Info);
        return (path, tensor) =>
        {
            ParameterInfo info = infos.GetValueOrDefault(path) ?? throw new ArgumentException($"{path}: expected a parameter of a model of this configuration", nameof(path));
            if (tensor.Shape.IsEmpty)
            {
                Throw.Argument($"{path}: expected a vector or a matrix, found {tensor}", nameof(tensor));
            }

            return tensor.ConvertTo(GgufTypeMix.TypeOf(type, info, tensor.Shape[^1], config.TieEmbeddings), threads);
        };
    }

    // Null where there is no tokenizer.json.
    private static GgufVocabulary? OfFolder(string folder, MambaConfig config)
    {
        string path = Path.Combine(folder, ModelTokenizer.FileName);
        try
        {
            return File.Exists(path) ? TokenizerFile.Read(path, config.EndTokenId is { } end ? [end] : null).ToGguf() : null;
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{error.Message}; move the file away to convert the model without a tokenizer", error);
        }
    }
}
