using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>Mamba models in GGUF files, as llama.cpp reads and writes them.</summary>
/// <remarks>
/// Two tensors are stored differently than in checkpoints. The convolution's weight lacks its middle dimension. A is stored itself, while the
/// model has A_log = ln(-A): a conversion there and back changes an entry by a few parts in 10^7, the resolution of single precision; an A_log of
/// magnitude 2 or more usually returns to the same bits.
/// </remarks>
internal static class GgufCheckpoint
{
    private const uint QuantizationVersion = 2;

    /// <summary>The model in an open file; its weights stay in the mapped file, in the types of the file.</summary>
    /// <exception cref="InvalidDataException">The file is of another architecture, or its tensors do not fit its metadata; the message lists all that differ.</exception>
    public static MambaLanguageModel ToModel(GgufFile file)
    {
        MambaConfig config = GgufConfig.Read(file);
        Dictionary<string, ParameterKind> kinds = ModelParameters.Of(config).ToDictionary(parameter => parameter.Path, parameter => parameter.Info.Kind);
        Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
        List<string> unknown = [];
        foreach ((string name, Tensor tensor) in file.Tensors)
        {
            if (GgufNames.ToCanonical(name) is not { } canonical || tensor.Type == ElementType.Int64
                || !tensors.TryAdd(canonical, FromGguf(name, tensor, kinds.TryGetValue(canonical, out ParameterKind kind) ? kind : null)))
            {
                unknown.Add($"{name} {tensor}");
            }
        }

        return unknown.Count == 0
            ? MambaLanguageModel.FromTensors(config, tensors)
            : throw new InvalidDataException($"found tensors that a Mamba model does not have: {Shortened.List(unknown.Order(StringComparer.Ordinal))}");
    }

    /// <summary>Writes a model: to a temporary file that is flushed to the disk and renamed.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    /// <param name="model">The weights, of any types; converted one tensor at a time.</param>
    /// <param name="type">Which types the tensors take.</param>
    /// <param name="vocabulary">The tokenizer to store; null for none: llama.cpp then loads the model but cannot tokenize text.</param>
    /// <param name="name">The model's name, <c>general.name</c>.</param>
    /// <param name="threads">Threads that quantize; 0 for one per processor. Their number does not change the file.</param>
    /// <param name="matrices">Other types for single matrices, by their names in the model; null for none.</param>
    /// <param name="more">Values that are added where the model and the vocabulary write none; null for none.</param>
    /// <remarks>llama.cpp supports only d_inner = 2 d_model, with a bias of the convolution and none of the projections. Other models are written too; this library reads them.</remarks>
    /// <exception cref="ArgumentException">
    /// A type cannot hold a weight, the vocabulary has more tokens than the embedding, or <paramref name="matrices"/> contains a name that is no matrix of
    /// the model, or a type whose blocks do not divide its rows.
    /// </exception>
    public static void Save(
        string path, MambaLanguageModel model, GgufFileType type, GgufVocabulary? vocabulary = null, string? name = null, int threads = 0,
        IReadOnlyDictionary<string, ElementType>? matrices = null, IEnumerable<KeyValuePair<string, GgufValue>>? more = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(model);
        MambaConfig config = model.Config.Validate();
        matrices ??= new Dictionary<string, ElementType>();
        IReadOnlyList<(string Path, Tensor Tensor, ParameterInfo Info)> parameters = model.Describe();
        RequireMatrices(matrices, parameters);
        GgufMetadata metadata = new()
        {
            [GgufLayout.ArchitectureKey] = GgufValue.From(GgufConfig.Architecture),
            ["general.name"] = GgufValue.From(name ?? Path.GetFileNameWithoutExtension(path)),
        };
        GgufConfig.Write(metadata, config);
        if (vocabulary is null)
        {
            GgufVocabulary.WriteNone(metadata, config);
        }
        else
        {
            vocabulary.Write(metadata, config.VocabSize);
        }

        foreach ((string key, GgufValue value) in more ?? [])
        {
            metadata.TryAdd(key, value);
        }

        metadata["general.quantization_version"] = GgufValue.From(QuantizationVersion);
        metadata["general.file_type"] = GgufValue.From((uint)type);
        GgufWriter.Write(path, metadata, [.. parameters.Select(parameter => Entry(parameter, TypeOf(parameter), threads))]);

        ElementType TypeOf((string Path, Tensor Tensor, ParameterInfo Info) parameter) => matrices.TryGetValue(parameter.Path, out ElementType own)
            ? own
            : GgufTypeMix.TypeOf(type, parameter.Info, parameter.Tensor.Shape[^1], model.Head is null);
    }

    private static string ToGguf(string canonical) =>
        GgufNames.ToGguf(canonical) ?? throw new ArgumentException($"{canonical}: expected a parameter of a Mamba model", nameof(canonical));

    private static void RequireMatrices(
        IReadOnlyDictionary<string, ElementType> matrices, IReadOnlyList<(string Path, Tensor Tensor, ParameterInfo Info)> parameters)
    {
        Dictionary<string, Tensor> tensors = parameters.ToDictionary(p => p.Path, p => p.Tensor);
        HashSet<string> multiplied = [.. parameters.Where(p => p.Info.IsMatrix).Select(p => p.Path)];
        foreach ((string name, ElementType type) in matrices)
        {
            if (!tensors.TryGetValue(name, out Tensor? tensor) || !multiplied.Contains(name))
            {
                Throw.Argument($"{name}: expected a matrix of the model, found {(tensor is null ? "no such tensor" : tensor)}", nameof(matrices));
            }
            else if (type == ElementType.Int64 || tensor.Shape[^1] % type.BlockLength() != 0)
            {
                Throw.Argument($"{name}: expected a type of weights whose blocks fill its rows of {tensor.Shape[^1]}, found {type}", nameof(matrices));
            }
        }
    }

    private static GgufEntry Entry((string Path, Tensor Tensor, ParameterInfo Info) parameter, ElementType type, int threads)
    {
        (string path, Tensor tensor, ParameterInfo info) = parameter;
        int[] shape = info.Kind == ParameterKind.Filter ? [tensor.Shape[0], tensor.Shape[^1]] : tensor.Shape.ToArray();
        return new GgufEntry(ToGguf(path), type, shape, () => info.Kind == ParameterKind.Transition
            ? Transition(path, tensor)
            : tensor.ConvertWeight(type, threads, path));
    }

    // A = -exp(A_log), of which single precision holds less than of A_log.
    private static Tensor Transition(string path, Tensor tensor)
    {
        (bool anyBefore, bool anyAfter) = (false, false);
        Tensor transition = Map(tensor, logarithm =>
        {
            float a = (float)-Math.Exp(logarithm);
            anyBefore |= float.IsFinite(logarithm);
            anyAfter |= a != 0;
            return float.IsFinite(a) || !float.IsFinite(logarithm)
                ? a
                : Throw.Argument<float>(Throw.Invariant($"{path}: expected values of which -exp(A_log) is finite in single precision, found {logarithm}"), null);
        });
        return anyAfter || !anyBefore
            ? transition
            : Throw.Argument<Tensor>($"{path}: expected values of which -exp(A_log) is not 0 in single precision, found none", null);
    }

    private static Tensor FromGguf(string name, Tensor tensor, ParameterKind? kind)
    {
        switch (kind)
        {
            case ParameterKind.Filter when tensor.Shape.Length == 2 && !tensor.Type.IsQuantized():
                return tensor.Reshape(tensor.Shape[0], 1, tensor.Shape[1]);
            case ParameterKind.Transition:
                return Map(tensor, a => a <= 0 && float.IsFinite(a)
                    ? (float)Math.Log(-(double)a)
                    : throw new InvalidDataException(Throw.Invariant($"{name}: expected finite numbers of at most 0, found {a}")));
            default:
                return tensor;
        }
    }

    private static Tensor Map(Tensor tensor, Func<float, float> function)
    {
        Tensor mapped = Tensor.Zeros(ElementType.Float32, tensor.Shape);
        using TensorBuffer.Lease lease = mapped.Buffer.Acquire();
        Span<float> values = mapped.Floats;
        tensor.CopyTo(values);
        foreach (ref float value in values)
        {
            value = function(value);
        }

        return mapped;
    }
}
