using CommunityToolkit.HighPerformance;
using CommunityToolkit.HighPerformance.Buffers;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Models;

/// <summary>A Mamba language model: embedding, residual blocks, norm, output head.</summary>
public sealed record MambaLanguageModel : IParameterTree<MambaLanguageModel>
{
    /// <summary>Makes a model of its layers.</summary>
    /// <param name="config">The sizes and options.</param>
    /// <param name="vocabulary">Tokens to vectors and vectors to logits.</param>
    /// <param name="layers">The residual blocks, first to last.</param>
    /// <param name="normF">Before the head.</param>
    /// <exception cref="ArgumentException">The configuration is not valid, or the layers do not fit it.</exception>
    public MambaLanguageModel(MambaConfig config, Shared vocabulary, Sequential layers, RmsNorm normF)
    {
        (Config, Vocabulary, Layers, NormF) = (config, vocabulary, layers, normF);
        Validate();
    }

    /// <summary>The sizes and options.</summary>
    public MambaConfig Config
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>Tokens to vectors and vectors to logits.</summary>
    public Shared Vocabulary
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>The residual blocks, first to last.</summary>
    public Sequential Layers
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>Before the head.</summary>
    public RmsNorm NormF
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>Token ids to vectors.</summary>
    public Embedding Embeddings => Vocabulary.Embedding;

    /// <summary>Vectors to logits; null for a tied head, which uses the embedding's tensor.</summary>
    public Linear? Head => Vocabulary.Head;

    /// <summary>The matrix of the output head: [vocab_size, d_model].</summary>
    public Tensor HeadWeight => Vocabulary.HeadWeight;

    /// <summary>Feeds tokens to one sequence, layer by layer on the calling thread: the readable definition of what the model computes.</summary>
    /// <param name="tokens">[length]</param>
    /// <param name="state">The sequence so far; advanced by the tokens.</param>
    /// <param name="logits">[length, vocab_size]</param>
    /// <remarks>Repacks the weights at each call; an executor keeps them packed, runs on all cores and gives the same bits.</remarks>
    /// <exception cref="ArgumentException">An id out of range, logits of another length, or a state of other sizes.</exception>
    public void Forward(ReadOnlySpan<int> tokens, CpuState state, Span<float> logits)
    {
        ArgumentNullException.ThrowIfNull(state);
        Validate();
        using TensorBuffer.Lease lease = state.Acquire();
        state.RequireRoom(tokens.Length);
        int vocabulary = Config.VocabSize;
        Throw.UnlessLength((long)tokens.Length * vocabulary, logits.Length);
        int[] ids = tokens.ToArray();
        Embedding.RequireTokens(ids, vocabulary);
        Layers.RequireStates(state.Layers, nameof(state));
        using MixerStateCopies before = new(state.Layers);
        try
        {
            Chunks(ids, state, logits);
        }
        catch
        {
            before.Restore();
            throw;
        }

        state.Advance(tokens.Length);
    }

    /// <summary>Checks every parameter against the configuration. Code that runs a model calls it first, since a record can be copied with any part replaced.</summary>
    /// <exception cref="ArgumentException">
    /// The configuration is not valid, or a parameter is missing, unknown or of another shape; the message names its path, what was expected and what was found.
    /// </exception>
    public void Validate()
    {
        MambaConfig config = Config.Validate();
        Dictionary<string, Tensor> found = Describe().ToDictionary(parameter => parameter.Path, parameter => parameter.Tensor, StringComparer.Ordinal);
        foreach (ExpectedParameter expected in ModelParameters.Of(config))
        {
            found.Remove(expected.Path, out Tensor? tensor);
            if (Problem(expected, tensor) is { } problem)
            {
                Throw.Argument(problem, null);
            }
        }

        foreach ((string path, Tensor tensor) in found)
        {
            Throw.Argument($"{path}: expected no such parameter in a model of this configuration, found {tensor}", null);
        }

        CheckEpsilon("backbone.norm_f", config.NormEpsilon, NormF.Epsilon);
        for (int i = 0; i < Layers.Count; i++)
        {
            CheckEpsilon(Throw.Invariant($"backbone.layers.{i}.norm"), config.NormEpsilon, Layers[i].Norm.Epsilon);
            CheckEpsilon(Throw.Invariant($"backbone.layers.{i}.mixer"), config.MixerNormEpsilon, Layers[i].Mixer.MixerNormEpsilon);
        }
    }

    /// <summary>Builds a model from tensors under the names of Hugging Face checkpoints.</summary>
    /// <param name="config">The sizes.</param>
    /// <param name="tensors">Every parameter by its name.</param>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    /// <exception cref="InvalidDataException">Parameters are missing, unknown or of another shape; all are listed.</exception>
    public static MambaLanguageModel FromTensors(MambaConfig config, IReadOnlyDictionary<string, Tensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tensors);
        config = config.Validate();
        HashSet<string> others = [.. tensors.Keys];
        List<string> problems = [];
        foreach (ExpectedParameter expected in ModelParameters.Of(config))
        {
            others.Remove(expected.Path);
            if (Problem(expected, tensors.GetValueOrDefault(expected.Path)) is { } problem)
            {
                problems.Add(problem);
            }
        }

        return problems.Count + others.Count == 0 ? Build(config, tensors) : throw Misfit(config, problems, others);
    }

    /// <summary>A new model with random weights, initialized as the paper and its code do.</summary>
    /// <param name="config">The sizes.</param>
    /// <param name="seed">The same seed gives the same weights.</param>
    /// <param name="map">
    /// Replaces each weight as soon as it is drawn, and the drawn one is disposed: a model of a smaller type is never in memory in single
    /// precision as a whole. Null to keep the weights as drawn.
    /// </param>
    /// <exception cref="ArgumentException">The configuration is not valid, or a tensor that the map returns does not fit it.</exception>
    public static MambaLanguageModel Create(MambaConfig config, ulong seed, ParameterMap? map = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        config = config.Validate();
        Initialization initialization = new(config, seed);
        Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
        foreach (ExpectedParameter parameter in ModelParameters.Of(config))
        {
            Tensor drawn = initialization.Draw(parameter), taken = map is null ? drawn : map(parameter.Path, drawn);
            if (taken.Buffer != drawn.Buffer)
            {
                drawn.Buffer.Dispose();
            }

            tensors.Add(parameter.Path, taken);
        }

        return Build(config, tensors);
    }

    /// <inheritdoc/>
    public MambaLanguageModel Map(string path, ParameterMap map)
    {
        MambaLanguageModel mapped = MapDescribed(path, map.Described());
        mapped.Validate();
        return mapped;
    }

    /// <summary>The same model with every parameter copied to memory of its own, in single precision, as training writes it.</summary>
    public MambaLanguageModel CopyToFloat32() => Map("", (_, tensor) =>
    {
        Tensor copy = Tensor.Zeros(ElementType.Float32, tensor.Shape);
        using TensorBuffer.Lease lease = copy.Buffer.Acquire();
        tensor.CopyTo(copy.Floats);
        return copy;
    });

    /// <summary>One line: the sizes.</summary>
    public override string ToString() =>
        Throw.Invariant($"MambaLanguageModel {Config.NLayer} x {Config.DModel}, vocabulary {Config.VocabSize}, {Config.ParameterCount} parameters");

    internal MambaLanguageModel MapDescribed(string path, DescribedMap map) => this with
    {
        Vocabulary = Vocabulary.MapDescribed(path, map),
        Layers = Layers.MapDescribed(path.Below("backbone.layers"), map),
        NormF = NormF.MapDescribed(path.Below("backbone.norm_f"), map),
    };

    /// <summary>Every parameter with its path and description, in the order of the fields.</summary>
    internal IReadOnlyList<(string Path, Tensor Tensor, ParameterInfo Info)> Describe()
    {
        List<(string Path, Tensor Tensor, ParameterInfo Info)> parameters = [];
        MapDescribed("", (path, tensor, info) =>
        {
            parameters.Add((path, tensor, info));
            return tensor;
        });
        return parameters;
    }

    private static string? Problem(ExpectedParameter expected, Tensor? found)
    {
        if (found is not null && found.HasShape(expected.Shape) && found.Type != ElementType.Int64)
        {
            return null;
        }

        string name = $"{expected.Path} [{string.Join(", ", expected.Shape)}]";
        return found is null ? $"{name} is missing" : $"{name}: found {found}";
    }

    // What is missing and what is too much take turns, so that a list of the first dozen shows both.
    private static InvalidDataException Misfit(MambaConfig config, IEnumerable<string> problems, IEnumerable<string> others)
    {
        HashSet<string> excluded = [.. ModelParameters.Of(config with { InProjBias = true, ConvBias = true, OutProjBias = true, TieEmbeddings = false }).Select(parameter => parameter.Path)];
        IEnumerable<string> strangers = others.Order(StringComparer.Ordinal)
            .Select(name => excluded.Contains(name) ? $"{name} is there, which the configuration excludes" : $"{name} is unknown");
        IEnumerable<string> turns = problems.Index().Concat(strangers.Index()).OrderBy(entry => entry.Index).Select(entry => entry.Item);
        return new("the tensors do not fit the configuration: " + Shortened.List(turns, "; "));
    }

    private static void CheckEpsilon(string path, float? expected, float? found)
    {
        if (expected != found)
        {
            Throw.Argument(Throw.Invariant($"{path}: expected the configuration's epsilon {expected?.ToString() ?? "none"}, found {found?.ToString() ?? "none"}"), null);
        }
    }

    private void Chunks(int[] ids, CpuState state, Span<float> logits)
    {
        (int vocabulary, int width) = (Config.VocabSize, Config.DModel);
        int chunk = Math.Min(SpanRows.ChunkOf(width), ids.Length);
        using SpanOwner<float> room = SpanOwner<float>.Allocate(chunk * width);
        for (int start = 0; start < ids.Length; start += chunk)
        {
            int length = Math.Min(chunk, ids.Length - start);
            Span2D<float> x = room.Span[..(length * width)].AsSpan2D(length, width);
            Vocabulary.Embed(ids.AsSpan(start, length), x);
            Layers.Run(x, state.Layers, x);
            NormF.Forward(x, x);
            Vocabulary.Project(x, logits.Slice(start * vocabulary, length * vocabulary).AsSpan2D(length, vocabulary));
        }
    }

    private static MambaLanguageModel Build(MambaConfig config, IReadOnlyDictionary<string, Tensor> tensors)
    {
        ResidualBlock[] layers = [.. Enumerable.Range(0, config.NLayer).Select(i => Block(Throw.Invariant($"backbone.layers.{i}")))];
        Shared vocabulary = new(new Embedding(tensors[ModelParameters.Embedding]), config.TieEmbeddings ? null : Linear("lm_head"));
        return new(config, vocabulary, new(layers), Norm("backbone.norm_f"));

        ResidualBlock Block(string path) => new(Norm(path + ".norm"), Mixer(path + ".mixer"));

        RmsNorm Norm(string path) => new(tensors[path + ".weight"], config.NormEpsilon);

        Linear Linear(string path) => new(tensors[path + ".weight"], tensors.GetValueOrDefault(path + ".bias"));

        SelectiveStateSpaceModel Mixer(string path) => new(
            Linear(path + ".in_proj"),
            new(tensors[path + ".conv1d.weight"], tensors.GetValueOrDefault(path + ".conv1d.bias")),
            Linear(path + ".x_proj"),
            Linear(path + ".dt_proj"),
            tensors[path + ".A_log"],
            tensors[path + ".D"],
            Linear(path + ".out_proj"),
            config.MixerNormEpsilon);
    }
}
