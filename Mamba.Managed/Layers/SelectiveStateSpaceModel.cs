using Mamba.Managed.Execution;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>The Mamba mixer: expand, convolve, scan with input-dependent steps, gate, project back.</summary>
/// <remarks>Gu and Dao 2023, algorithm 2 and figure 3.</remarks>
/// <param name="InProj">d_model -> 2 d_inner: the scan's input and the gate.</param>
/// <param name="Conv1d">Over the scan's input.</param>
/// <param name="XProj">d_inner -> dt_rank + 2 d_state: dt, B and C.</param>
/// <param name="DtProj">dt_rank -> d_inner, with the bias that softplus sees.</param>
/// <param name="ALog">[d_inner, d_state]: A = -exp(ALog).</param>
/// <param name="D">[d_inner]: the skip term.</param>
/// <param name="OutProj">d_inner -> d_model.</param>
/// <param name="MixerNormEpsilon">Falcon-Mamba's RMS norm of dt, B and C, without weight; null for none.</param>
public sealed record SelectiveStateSpaceModel(
    Linear InProj,
    CausalConv1d Conv1d,
    Linear XProj,
    Linear DtProj,
    Tensor ALog,
    Tensor D,
    Linear OutProj,
    float? MixerNormEpsilon = null) : IParameterTree<SelectiveStateSpaceModel>
{
    /// <summary>The state before the first vector of a sequence.</summary>
    public MixerState CreateState() => new(ALog.Shape[0], Conv1d.Weight.Shape[^1], ALog.Shape[1]);

    /// <summary>Mixes the vectors of one sequence over time, on the calling thread.</summary>
    /// <param name="x">[length, d_model]</param>
    /// <param name="state">The sequence so far; moved on by the vectors.</param>
    /// <param name="y">[length, d_model]; may be <paramref name="x"/> itself.</param>
    /// <remarks>Orders the weights anew at each call; <see cref="Execution.CpuExecutor"/> keeps them ordered and gives the same bits.</remarks>
    /// <exception cref="ArgumentException">The lengths do not agree, or the state has other sizes.</exception>
    public void Forward(ReadOnlySpan<float> x, MixerState state, Span<float> y)
    {
        ArgumentNullException.ThrowIfNull(state);
        int width = InProj.Weight.Shape[1];
        int rows = x.Length / width;
        Throw.UnlessLength(rows * width, x.Length);
        Throw.UnlessLength(x.Length, y.Length);
        using MixerState own = CreateState();
        if (!state.HasSizesOf(own))
        {
            Throw.Argument($"expected a state of {own}, found one of {state}", nameof(state));
        }

        if (rows > 0)
        {
            using PackedMixer packed = new(this);
            MixerPass.Forward(packed, x, state, y);
        }
    }

    /// <inheritdoc/>
    public SelectiveStateSpaceModel Map(string path, ParameterMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return this with
        {
            InProj = InProj.Map(path.Below("in_proj"), map),
            Conv1d = Conv1d.Map(path.Below("conv1d"), map),
            XProj = XProj.Map(path.Below("x_proj"), map),
            DtProj = DtProj.Map(path.Below("dt_proj"), map),
            ALog = map(path.Below("A_log"), ALog),
            D = map(path.Below("D"), D),
            OutProj = OutProj.Map(path.Below("out_proj"), map),
        };
    }

    /// <summary>One line: the sizes.</summary>
    public override string ToString() =>
        Throw.Invariant($"SelectiveStateSpaceModel {OutProj.Weight.Shape[0]}, {ALog.Shape[0]} channels x {ALog.Shape[1]} states");
}
