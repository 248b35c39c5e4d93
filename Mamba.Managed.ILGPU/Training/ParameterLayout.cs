using System.Globalization;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>The places of a block's parameters; null for those that it lacks.</summary>
internal sealed record BlockPlaces
{
    public required ParameterPlace Norm { get; init; }

    public required ParameterPlace InWeight { get; init; }

    public required ParameterPlace? InBias { get; init; }

    public required ParameterPlace ConvWeight { get; init; }

    public required ParameterPlace? ConvBias { get; init; }

    public required ParameterPlace XWeight { get; init; }

    public required ParameterPlace DtWeight { get; init; }

    public required ParameterPlace DtBias { get; init; }

    public required ParameterPlace ALog { get; init; }

    public required ParameterPlace D { get; init; }

    public required ParameterPlace OutWeight { get; init; }

    public required ParameterPlace? OutBias { get; init; }
}

/// <summary>All parameters of a model in one block of memory, padding between them, so that a step of the optimizer is one kernel over it.</summary>
/// <remarks>Weights, gradients, moments and averages are five blocks of this layout. What fills up is zero in all of them, and stays so.</remarks>
internal sealed class ParameterLayout
{
    private readonly List<ParameterPlace> places = [];
    private long end;

    /// <summary>Lays out the parameters of a model.</summary>
    public ParameterLayout(ModelShape shape)
    {
        MambaConfig config = shape.Config;

        // First and together, so that the decays of all blocks are computed by one kernel.
        ParameterPlace[] aLogs = [.. Enumerable.Range(0, config.NLayer).Select(layer => Table(Name(layer, "A_log"), shape.Channels, config.DInner, shape.States, config.DState))];
        ALogLength = end;
        Embedding = Matrix("backbone.embeddings.weight", shape.Vocabulary, shape.Features, config.DModel, new RowRun(0, config.VocabSize, 0));
        Head = config.TieEmbeddings ? Embedding : Matrix("lm_head.weight", shape.Vocabulary, shape.Features, config.DModel, new RowRun(0, config.VocabSize, 0));
        NormF = Vector("backbone.norm_f.weight", shape.Features, new RowRun(0, config.DModel, 0));
        Blocks = [.. Enumerable.Range(0, config.NLayer).Select(layer => Block(shape, config, layer, aLogs[layer]))];
    }

    /// <summary>Entries of all parameters, padding included.</summary>
    public long Length => end;

    /// <summary>Entries from the beginning that hold the A_log of all blocks.</summary>
    public long ALogLength { get; }

    /// <summary>Every parameter, in the order of memory.</summary>
    public IReadOnlyList<ParameterPlace> Places => places;

    public ParameterPlace Embedding { get; }

    /// <summary>The embedding's own place for a tied head.</summary>
    public ParameterPlace Head { get; }

    public ParameterPlace NormF { get; }

    public BlockPlaces[] Blocks { get; }

    private static string Name(int layer, string name) => string.Create(CultureInfo.InvariantCulture, $"backbone.layers.{layer}.mixer.{name}");

    private BlockPlaces Block(ModelShape shape, MambaConfig config, int layer, ParameterPlace aLog)
    {
        (int inner, int rank, int states) = (config.DInner, config.DtRank, config.DState);
        RowRun channels = new(0, inner, 0), features = new(0, config.DModel, 0);
        RowRun[] gated = [channels, new(inner, inner, shape.Channels)];
        RowRun[] projected = [new(0, rank, 0), new(rank, states, shape.Rank), new(rank + states, states, shape.Rank + shape.States)];
        return new()
        {
            Norm = Vector(string.Create(CultureInfo.InvariantCulture, $"backbone.layers.{layer}.norm.weight"), shape.Features, features),
            InWeight = Matrix(Name(layer, "in_proj.weight"), 2 * shape.Channels, shape.Features, config.DModel, gated),
            InBias = config.InProjBias ? Vector(Name(layer, "in_proj.bias"), 2 * shape.Channels, gated) : null,
            ConvWeight = Add(Name(layer, "conv1d.weight"), shape.Channels, config.DConv, config.DConv, [channels], decays: true),
            ConvBias = config.ConvBias ? Vector(Name(layer, "conv1d.bias"), shape.Channels, channels) : null,
            XWeight = Matrix(Name(layer, "x_proj.weight"), shape.Projected, shape.Channels, inner, projected),
            DtWeight = Matrix(Name(layer, "dt_proj.weight"), shape.Channels, shape.Rank, rank, channels),
            DtBias = Vector(Name(layer, "dt_proj.bias"), shape.Channels, channels),
            ALog = aLog,
            D = Vector(Name(layer, "D"), shape.Channels, channels),
            OutWeight = Matrix(Name(layer, "out_proj.weight"), shape.Features, shape.Channels, inner, features),
            OutBias = config.OutProjBias ? Vector(Name(layer, "out_proj.bias"), shape.Features, features) : null,
        };
    }

    private ParameterPlace Matrix(string path, int rows, int columns, int trueColumns, params RowRun[] runs) =>
        Add(path, rows, Padding.Up(columns, Padding.Columns), trueColumns, runs, decays: true);

    private ParameterPlace Table(string path, int rows, int trueRows, int columns, int trueColumns) =>
        Add(path, rows, columns, trueColumns, [new(0, trueRows, 0)], decays: false);

    private ParameterPlace Vector(string path, int rows, params RowRun[] runs) => Add(path, rows, 1, 1, runs, decays: false);

    private ParameterPlace Add(string path, int rows, int pitch, int columns, RowRun[] runs, bool decays)
    {
        ParameterPlace place = new(path, end, rows, pitch, columns, runs, decays);
        end += (place.Length + AdamWUpdate.Unit - 1) / AdamWUpdate.Unit * AdamWUpdate.Unit;
        places.Add(place);
        return place;
    }
}
