using CommunityToolkit.HighPerformance;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>The Mamba mixer: expand, convolve, scan with input-dependent steps, gate, project back.</summary>
/// <remarks>Gu and Dao 2023, algorithm 2 and figure 3.</remarks>
public sealed record SelectiveStateSpaceModel : IParameterTree<SelectiveStateSpaceModel>
{
    /// <summary>Makes a mixer of its layers and tensors.</summary>
    /// <param name="inProj">d_model -> 2 d_inner: the scan's input and the gate.</param>
    /// <param name="conv1d">Over the scan's input.</param>
    /// <param name="xProj">d_inner -> dt_rank + 2 d_state: dt, B and C.</param>
    /// <param name="dtProj">dt_rank -> d_inner, with the bias that is added before softplus.</param>
    /// <param name="aLog">[d_inner, d_state]: A = -exp(aLog).</param>
    /// <param name="d">[d_inner]: the skip term.</param>
    /// <param name="outProj">d_inner -> d_model.</param>
    /// <param name="mixerNormEpsilon">Falcon-Mamba's RMS norm of dt, B and C, without weight; null for none.</param>
    /// <exception cref="ArgumentException">The shapes do not agree.</exception>
    public SelectiveStateSpaceModel(
        Linear inProj, CausalConv1d conv1d, Linear xProj, Linear dtProj, Tensor aLog, Tensor d, Linear outProj, float? mixerNormEpsilon = null)
    {
        (InProj, Conv1d, XProj, DtProj, ALog, D, OutProj, MixerNormEpsilon) = (inProj, conv1d, xProj, dtProj, aLog, d, outProj, mixerNormEpsilon);
        Validate("");
    }

    /// <summary>d_model -> 2 d_inner: the scan's input and the gate.</summary>
    public Linear InProj
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>Over the scan's input.</summary>
    public CausalConv1d Conv1d
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>d_inner -> dt_rank + 2 d_state: dt, B and C.</summary>
    public Linear XProj
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>dt_rank -> d_inner, with the bias that is added before softplus.</summary>
    public Linear DtProj
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>[d_inner, d_state]: A = -exp(ALog).</summary>
    public Tensor ALog
    {
        get;
        init => field = ShapeCheck.Present(value, "A_log", ShapeCheck.Any, ShapeCheck.Any);
    }

    /// <summary>[d_inner]: the skip term.</summary>
    public Tensor D
    {
        get;
        init => field = ShapeCheck.Present(value, "D", ShapeCheck.Any);
    }

    /// <summary>d_inner -> d_model.</summary>
    public Linear OutProj
    {
        get;
        init => field = ShapeCheck.Present(value);
    }

    /// <summary>Falcon-Mamba's RMS norm of dt, B and C, without weight; null for none.</summary>
    public float? MixerNormEpsilon { get; init; }

    internal int DModel => InProj.Weight.Shape[1];

    internal int DInner => ALog.Shape[0];

    internal int DState => ALog.Shape[1];

    internal int DConv => Conv1d.Weight.Shape[^1];

    internal int DtRank => DtProj.Weight.Shape[1];

    /// <summary>The state before the first vector of a sequence.</summary>
    /// <exception cref="ArgumentException">The shapes of the mixer do not agree.</exception>
    public MixerState CreateState()
    {
        Validate("");
        return new(DInner, DConv, DState);
    }

    /// <summary>Mixes the vectors of one sequence over time, on the calling thread.</summary>
    /// <param name="x">[length, d_model]</param>
    /// <param name="state">The sequence so far; advanced by the vectors.</param>
    /// <param name="y">[length, d_model]; may be <paramref name="x"/> itself.</param>
    /// <remarks>Repacks the weights at each call; an executor keeps them packed and gives the same bits.</remarks>
    /// <exception cref="ArgumentException">The shapes do not agree, or the state has other sizes.</exception>
    public void Forward(ReadOnlySpan2D<float> x, MixerState state, Span2D<float> y)
    {
        Validate("");
        SpanRows.Require(x, x.Height, DModel);
        SpanRows.Require(y, x.Height, DModel);
        RequireState(state, nameof(state));
        if (x.Height > 0)
        {
            using MixerForward forward = new(this);
            forward.Run(x, state, y);
        }
    }

    /// <inheritdoc/>
    public SelectiveStateSpaceModel Map(string path, ParameterMap map)
    {
        SelectiveStateSpaceModel mapped = MapDescribed(path, map.Described());
        mapped.Validate(path);
        return mapped;
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() =>
        $"SelectiveStateSpaceModel {ShapeCheck.Size(InProj.Weight, 1)}, {ShapeCheck.Size(ALog, 0)} channels x {ShapeCheck.Size(ALog, 1)} states";

    internal SelectiveStateSpaceModel MapDescribed(string path, DescribedMap map) => this with
    {
        InProj = InProj.MapDescribed(path.Below("in_proj"), map),
        Conv1d = Conv1d.MapDescribed(path.Below("conv1d"), map),
        XProj = XProj.MapDescribed(path.Below("x_proj"), map, ParameterInfo.XProj),
        DtProj = DtProj.MapDescribed(path.Below("dt_proj"), map, ParameterInfo.DtProj, ParameterInfo.DtBias),
        ALog = map(path.Below("A_log"), ALog, ParameterInfo.Transition),
        D = map(path.Below("D"), D, ParameterInfo.Skip),
        OutProj = OutProj.MapDescribed(path.Below("out_proj"), map, ParameterInfo.OutProj),
    };

    internal void RequireState(MixerState state, string argument)
    {
        ArgumentNullException.ThrowIfNull(state, argument);
        if ((state.Channels, state.ConvLength, state.States) != (DInner, DConv, DState))
        {
            Throw.Argument(Throw.Invariant($"expected a state of {DInner} channels, d_conv {DConv}, d_state {DState}, found one of {state}"), argument);
        }
    }

    internal void Validate(string path)
    {
        ShapeCheck.Require(ALog, path.Below("A_log"), ShapeCheck.Any, ShapeCheck.Any);
        InProj.Validate(path.Below("in_proj"), 2L * DInner);
        Conv1d.Validate(path.Below("conv1d"), DInner);
        DtProj.Validate(path.Below("dt_proj"), DInner);
        XProj.Validate(path.Below("x_proj"), DtRank + (2L * DState), DInner);
        ShapeCheck.Require(D, path.Below("D"), DInner);
        OutProj.Validate(path.Below("out_proj"), DModel, DInner);
    }
}
