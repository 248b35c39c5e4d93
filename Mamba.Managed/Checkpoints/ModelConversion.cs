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
    /// <returns>What lies beside the weights of a folder and has no place in the file.</returns>
    /// <exception cref="ArgumentException">
    /// A type cannot hold a weight, of which a finite value would become infinite or all values 0; the tokenizer has more tokens than the embedding;
    /// or <paramref name="matrices"/> contains a name that is no matrix of the model, or a type whose blocks do not divide its rows.
    /// </exception>
    public static ConversionResult ToGguf(
        string source, string destination, GgufFileType type, int threads = 0, IReadOnlyDictionary<string, ElementType>? matrices = null)
    {
        using ModelSource opened = ModelSource.Open(source);
        (GgufVocabulary? vocabulary, IEnumerable<KeyValuePair<string, GgufValue>> more) =
            opened.Metadata is { } metadata ? (UntrustedFile.Named(source, () => GgufVocabulary.Read(metadata)), GgufSideFiles.OfFile(metadata)) : OfFolder(source, opened.Config);
        vocabulary ??= opened.Config.VocabSize == ByteTokenizer.Size ? OfBytes(opened) : null;
        string name = opened.Metadata?.GetString("general.name") ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source)));
        IReadOnlyList<string> left = opened.Metadata is null ? [.. LostEnds(opened, vocabulary), .. GgufSideFiles.LeftBehind(source)] : [];
        GgufCheckpoint.Save(destination, opened.Model, type, vocabulary, name, threads, matrices, more);
        return new(left);
    }

    /// <summary>Writes a model as a folder, see <see cref="Checkpoint.Save"/>, with the files of the tokenizer and of generation that the source has.</summary>
    /// <remarks>A folder's files are copied unchanged, even a tokenizer of a kind that is not supported. Those of a GGUF file are written from its metadata.</remarks>
    /// <param name="source">A folder or a GGUF file.</param>
    /// <param name="destination">The folder; a model in it is replaced, and its tokenizer and other files are removed if the source has none.</param>
    /// <param name="type">Float32, Float16 or BFloat16.</param>
    /// <param name="threads">Threads that convert; 0 for one per processor.</param>
    /// <exception cref="FileNotFoundException">There is no such source.</exception>
    /// <exception cref="InvalidDataException">The source is malformed, or the tokenizer of a GGUF file of a kind that is not supported.</exception>
    /// <returns>What lies beside the weights and was not carried along.</returns>
    /// <exception cref="ArgumentException">The type stores blocks or integers, or cannot hold a weight: a finite value would become infinite, or all values 0.</exception>
    public static ConversionResult ToFolder(string source, string destination, ElementType type, int threads = 0)
    {
        using ModelSource opened = ModelSource.Open(source);
        Func<string, IReadOnlyList<string>>? sideFiles = opened.Metadata is { } metadata ? UntrustedFile.Named(source, () => GgufSideFiles.ToFolder(metadata, opened.Config)) : null;
        MambaLanguageModel converted = opened.Model.ConvertTo(type, threads);
        Checkpoint.Save(destination, converted);
        converted.DisposeParameters();
        if (sideFiles is not null)
        {
            return new(sideFiles(destination));
        }

        SideFiles.Copy(source, destination, withDocuments: true);
        return new(SideFiles.AreOne(source, destination) ? [] : SideFiles.LeftBehind(source, [.. SideFiles.Names, .. SideFiles.Documents(source)]));
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
            : model.Map("", (path, tensor) => tensor.ConvertWeight(type, threads, path));
    }

    /// <summary>As <see cref="ConvertTo(MambaLanguageModel, ElementType, int)"/>, for a run of training: a tensor of which nothing is left in the type is taken.</summary>
    internal static MambaLanguageModel ConvertResult(this MambaLanguageModel model, ElementType type, int threads) =>
        model.Map("", (path, tensor) => tensor.ConvertWeight(type, threads, path, mayVanish: true));

    /// <summary>The model with every parameter in its type of a GGUF file.</summary>
    /// <param name="model">Of any types.</param>
    /// <param name="type">Which types the tensors take.</param>
    /// <param name="threads">Threads that convert; 0 for one per processor. Their number does not change the bits.</param>
    /// <param name="release">
    /// Whether the memory of a tensor is freed once all parameters that share it are converted, so that the model is never in memory twice; the
    /// original model must not be used afterwards.
    /// </param>
    /// <exception cref="ArgumentException">A type cannot hold a weight: a finite value would become infinite, or all values 0.</exception>
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

            return tensor.ConvertWeight(GgufTypeMix.TypeOf(type, info, tensor.Shape[^1], config.TieEmbeddings), threads, path);
        };
    }

    // A file names three ends by their ids.
    private static IEnumerable<string> LostEnds(ModelSource source, GgufVocabulary? vocabulary)
    {
        int[] lost = vocabulary is null ? [] : [.. source.Tokenizer.EndTokenIds.Except(vocabulary.EndTokenIds)];
        return lost.Length == 0 ? [] : [$"end tokens {string.Join(", ", lost)}"];
    }

    // No vocabulary where there is no tokenizer.
    private static (GgufVocabulary? Vocabulary, IEnumerable<KeyValuePair<string, GgufValue>> More) OfFolder(string folder, MambaConfig config)
    {
        try
        {
            return GgufSideFiles.OfFolder(folder, config);
        }
        catch (InvalidDataException error)
        {
            // What a tokenizer cannot be in a GGUF file is found in its parts, which know no file.
            string where = error.Message.StartsWith(folder, StringComparison.Ordinal) ? "" : $"{Path.Combine(folder, ModelTokenizer.FileName)}: ";
            throw new InvalidDataException($"{where}{error.Message}; move the file away to convert the model without a tokenizer", error);
        }
    }

    // The tokenizer of bytes, with the ids that the model's files name. It is loaded to check them.
    private static GgufVocabulary OfBytes(ModelSource source)
    {
        _ = source.Tokenizer;
        int[] ends = source.Metadata is null ? [.. FolderTokens.Ends(source.FilePath, source.Config).Select(end => (int)end.Id)] : [.. source.Config.EndTokenIds];
        return GgufVocabulary.OfBytes() with
        {
            StartTokenId = Byte(source.Config.BeginTokenId),
            EndTokenId = ends is [int end, ..] ? end : null,
            EndOfTurnTokenId = ends is [_, int turn, ..] ? turn : null,
            EndOfMessageTokenId = ends is [_, _, int message, ..] ? message : null,
            PaddingTokenId = Byte(source.Config.PadTokenId),
        };

        static int? Byte(int? id) => id is >= 0 and < ByteTokenizer.Size ? id : null;
    }
}
