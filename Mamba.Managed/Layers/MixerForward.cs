using CommunityToolkit.HighPerformance;
using CommunityToolkit.HighPerformance.Buffers;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>One call of a mixer: its packed weights, and the computation of the rows.</summary>
/// <remarks>Rows are computed in chunks, so that memory for activations does not grow with the sequence; the state carries over between chunks.</remarks>
internal sealed unsafe class MixerForward : IDisposable
{
    private readonly SelectiveStateSpaceModel mixer;
    private readonly ArrangedMatrix inProj;
    private readonly ArrangedMatrix xProj;
    private readonly ArrangedMatrix dtProj;
    private readonly ArrangedMatrix outProj;
    private readonly float[] filters;
    private readonly float[] decay;

    public MixerForward(SelectiveStateSpaceModel mixer)
    {
        this.mixer = mixer;
        inProj = new(mixer.InProj.Weight);
        xProj = new(mixer.XProj.Weight);
        dtProj = new(mixer.DtProj.Weight);
        outProj = new(mixer.OutProj.Weight);
        filters = CausalConvolution.Transpose(mixer.Conv1d.Weight);
        decay = new float[mixer.ALog.Count];
        fixed (float* from = mixer.ALog.ToFloats(), to = decay)
        {
            SelectiveScan.Decays(from, to, mixer.DInner, mixer.DState, 0, mixer.DInner);
        }
    }

    /// <summary>Mixes the rows of one sequence.</summary>
    /// <param name="x">[length, d_model]</param>
    /// <param name="state">The sequence so far; advanced by the rows.</param>
    /// <param name="y">[length, d_model]; may be <paramref name="x"/> itself.</param>
    public void Run(ReadOnlySpan2D<float> x, MixerState state, Span2D<float> y)
    {
        using TensorBuffer.Lease lease = state.Acquire();
        using MixerStateCopies before = new(state);
        try
        {
            Chunks(x, state, y);
        }
        catch
        {
            before.Restore();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        inProj.Dispose();
        xProj.Dispose();
        dtProj.Dispose();
        outProj.Dispose();
    }

    private void Chunks(ReadOnlySpan2D<float> x, MixerState state, Span2D<float> y)
    {
        int chunk = SpanRows.ChunkOf(Math.Max(mixer.InProj.Weight.Shape[0], mixer.XProj.Weight.Shape[0]));
        for (int row = 0; row < x.Height; row += chunk)
        {
            int end = Math.Min(row + chunk, x.Height);
            Chunk(x[row..end, ..], state, y[row..end, ..]);
        }
    }

    // Shapes below: L is rows, E is d_inner, R is dt_rank and N is d_state.
    private void Chunk(ReadOnlySpan2D<float> x, MixerState state, Span2D<float> y)
    {
        (int rows, int inner, int rank, int states) = (x.Height, mixer.DInner, mixer.DtRank, mixer.DState);
        using SpanOwner<float> gatedRoom = SpanOwner<float>.Allocate(rows * 2 * inner), channelRoom = SpanOwner<float>.Allocate(rows * inner);
        using SpanOwner<float> stepRoom = SpanOwner<float>.Allocate(rows * inner), dtBCRoom = SpanOwner<float>.Allocate(rows * (rank + (2 * states)));

        // [L, 2E]: the scan's input u beside the gate z.
        Span2D<float> gated = gatedRoom.Span.AsSpan2D(rows, 2 * inner);
        MatrixProduct.Forward(x, inProj.Packed, mixer.InProj.Bias.ToFloats(), gated);
        Span2D<float> u = gated[.., ..inner], z = gated[.., inner..];

        // [L, E]
        Span2D<float> channels = channelRoom.Span.AsSpan2D(rows, inner);
        ReadOnlySpan2D<float> taps = filters.AsSpan().AsSpan2D(mixer.DConv, inner);
        CausalConvolution.Forward(u, taps, mixer.Conv1d.Bias.ToFloats(), state.ConvState.AsSpan2D(mixer.DConv, inner), channels, silu: true);

        // [L, R + 2N]: dt, B and C.
        Span2D<float> dtBC = dtBCRoom.Span.AsSpan2D(rows, rank + (2 * states));
        MatrixProduct.Forward(channels, xProj.Packed, mixer.XProj.Bias.ToFloats(), dtBC);
        Span2D<float> dt = dtBC[.., ..rank], b = dtBC[.., rank..(rank + states)], c = dtBC[.., (rank + states)..];
        if (mixer.MixerNormEpsilon is float epsilon)
        {
            RmsNormalization.Forward(dt, [], epsilon, dt);
            RmsNormalization.Forward(b, [], epsilon, b);
            RmsNormalization.Forward(c, [], epsilon, c);
        }

        // [L, E]: Delta before the bias of dt_proj, which the scan adds. The scan's output overwrites its input.
        Span2D<float> steps = stepRoom.Span.AsSpan2D(rows, inner);
        MatrixProduct.Forward(dt, dtProj.Packed, [], steps);
        SelectiveScan.Forward(channels, steps, mixer.DtProj.Bias.ToFloats(), decay, b, c, mixer.D.ToFloats(), z, state.SsmState, channels);
        MatrixProduct.Forward(channels, outProj.Packed, mixer.OutProj.Bias.ToFloats(), y);
    }
}
