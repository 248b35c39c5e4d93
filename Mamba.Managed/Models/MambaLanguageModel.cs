using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Models;

/// <summary>A Mamba language model: embedding, residual blocks, norm, output head.</summary>
/// <param name="Config">The sizes and options.</param>
/// <param name="Vocabulary">Tokens to vectors and vectors to logits.</param>
/// <param name="Layers">The residual blocks, first to last.</param>
/// <param name="NormF">Before the head.</param>
public sealed record MambaLanguageModel(MambaConfig Config, Shared Vocabulary, Sequential Layers, RmsNorm NormF) : IParameterTree<MambaLanguageModel>
{
    /// <summary>Token ids to vectors.</summary>
    public Embedding Embeddings => Vocabulary.Embedding;

    /// <summary>Vectors to logits; null where the embedding's tensor serves as head too.</summary>
    public Linear? Head => Vocabulary.Head;

    /// <summary>The matrix of the output head: [vocab_size, d_model].</summary>
    public Tensor HeadWeight => Vocabulary.HeadWeight;

    /// <summary>Feeds tokens to one sequence, layer by layer on the calling thread: what the model computes, to be read.</summary>
    /// <param name="tokens">[length]</param>
    /// <param name="state">The sequence so far; moved on by the tokens.</param>
    /// <param name="logits">[length, vocab_size]</param>
    /// <remarks>Orders the weights anew at each call; <see cref="Execution.CpuExecutor"/> keeps them ordered, runs on all cores and gives the same bits.</remarks>
    /// <exception cref="ArgumentException">An id out of range, logits of another length, or a state of other sizes.</exception>
    public void Forward(ReadOnlySpan<int> tokens, MambaState state, Span<float> logits)
    {
        ArgumentNullException.ThrowIfNull(state);
        Throw.UnlessLength(checked(tokens.Length * Config.VocabSize), logits.Length);
        float[] x = new float[tokens.Length * Config.DModel];
        Vocabulary.Embed(tokens, x);
        Layers.Forward(x, state.Layers, x);
        NormF.Forward(x, x);
        Vocabulary.Project(x, logits);
        state.Position += tokens.Length;
    }

    /// <summary>Builds a model from tensors under the names of Hugging Face checkpoints.</summary>
    /// <param name="config">The sizes.</param>
    /// <param name="tensors">Every parameter by its name.</param>
    /// <exception cref="InvalidDataException">The configuration is not valid, or parameters are missing, unknown or of another shape; all are listed.</exception>
    public static MambaLanguageModel FromTensors(MambaConfig config, IReadOnlyDictionary<string, Tensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tensors);
        List<string> problems = [];
        HashSet<string> unknown = [.. tensors.Keys];
        MambaLanguageModel model = Build(config, (name, shape) =>
        {
            unknown.Remove(name);
            if (tensors.TryGetValue(name, out Tensor? tensor) && tensor.HasShape(shape) && tensor.Type != ElementType.Int64)
            {
                return tensor;
            }

            string expected = $"{name} [{string.Join(", ", shape)}]";
            problems.Add(tensor is null ? $"{expected} is missing" : $"{expected}: found {tensor}");
            return Tensor.Zeros(ElementType.Float32, 0, 0);
        });
        problems.AddRange(unknown.Order(StringComparer.Ordinal).Select(name => $"{name} is unknown"));
        return problems.Count == 0
            ? model
            : throw new InvalidDataException("the tensors do not fit the configuration: " + string.Join("; ", problems));
    }

    /// <summary>A new model with random weights, initialized as the paper and its code do.</summary>
    /// <param name="config">The sizes.</param>
    /// <param name="seed">The same seed gives the same weights.</param>
    /// <param name="map">
    /// Gives what takes a weight's place as soon as it is drawn, so that a model in a smaller type never exists in single precision as a
    /// whole: the weight is disposed then. Null to keep them.
    /// </param>
    /// <exception cref="InvalidDataException">The configuration is not valid.</exception>
    public static MambaLanguageModel Create(MambaConfig config, ulong seed, ParameterMap? map = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        Initialization initialization = new(config, seed);
        return Build(config, (name, shape) =>
        {
            Tensor drawn = initialization.Parameter(name, shape);
            Tensor taken = map is null ? drawn : map(name, drawn);
            if (taken.Buffer != drawn.Buffer)
            {
                drawn.Buffer.Dispose();
            }

            return taken;
        });
    }

    /// <inheritdoc/>
    public MambaLanguageModel Map(string path, ParameterMap map) => this with
    {
        Vocabulary = Vocabulary.Map(path, map),
        Layers = Layers.Map(path.Below("backbone.layers"), map),
        NormF = NormF.Map(path.Below("backbone.norm_f"), map),
    };

    /// <summary>One line: the sizes.</summary>
    public override string ToString() =>
        Throw.Invariant($"MambaLanguageModel {Config.NLayer} x {Config.DModel}, vocabulary {Config.VocabSize}, {Config.ParameterCount} parameters");

    private static MambaLanguageModel Build(MambaConfig config, Func<string, int[], Tensor> parameter)
    {
        config = config.Validate();
        Embedding embeddings = new(parameter("backbone.embeddings.weight", [config.VocabSize, config.DModel]));
        ResidualBlock[] layers = [.. Enumerable.Range(0, config.NLayer).Select(i => Block(Throw.Invariant($"backbone.layers.{i}")))];
        RmsNorm norm = Norm("backbone.norm_f");
        Shared vocabulary = new(embeddings, config.TieEmbeddings ? null : Linear("lm_head", config.VocabSize, config.DModel, false));
        return new(config, vocabulary, new(layers), norm);

        ResidualBlock Block(string path) => new(Norm(path + ".norm"), Mixer(path + ".mixer"));

        RmsNorm Norm(string path) => new(parameter(path + ".weight", [config.DModel]), config.NormEpsilon);

        Linear Linear(string path, int outputs, int inputs, bool bias) =>
            new(parameter(path + ".weight", [outputs, inputs]), bias ? parameter(path + ".bias", [outputs]) : null);

        SelectiveStateSpaceModel Mixer(string path) => new(
            Linear(path + ".in_proj", 2 * config.DInner, config.DModel, config.InProjBias),
            new(
                parameter(path + ".conv1d.weight", [config.DInner, 1, config.DConv]),
                config.ConvBias ? parameter(path + ".conv1d.bias", [config.DInner]) : null),
            Linear(path + ".x_proj", config.DtRank + (2 * config.DState), config.DInner, false),
            Linear(path + ".dt_proj", config.DInner, config.DtRank, true),
            parameter(path + ".A_log", [config.DInner, config.DState]),
            parameter(path + ".D", [config.DInner]),
            Linear(path + ".out_proj", config.DModel, config.DInner, config.OutProjBias),
            config.MixerNormEpsilon);
    }
}
