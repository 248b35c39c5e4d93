using CommunityToolkit.HighPerformance;

namespace Mamba.Managed.Kernels;

/// <content>The checked door, and the decays that it takes.</content>
internal readonly unsafe partial struct SelectiveScan
{
    private const float Log2E = 1.44269504088896341f;

    /// <summary>Runs the scan with softplus over one sequence, on the calling thread.</summary>
    /// <param name="u">[length, channels], without gaps between the rows: the input.</param>
    /// <param name="dt">[length, channels]: the step before bias and softplus.</param>
    /// <param name="bias">[channels] or empty: added to the step.</param>
    /// <param name="decay">[channels, states] in panels, as <see cref="Decays"/> gives them.</param>
    /// <param name="b">[length, states]</param>
    /// <param name="c">[length, states], as far from row to row as <paramref name="b"/>.</param>
    /// <param name="d">[channels] or empty: the skip term.</param>
    /// <param name="z">[length, channels]: the gate.</param>
    /// <param name="state">[channels, states] in panels: h before the first row; h after the last row on return.</param>
    /// <param name="y">[length, channels], without gaps between the rows; may be <paramref name="u"/> itself.</param>
    /// <exception cref="ArgumentException">The shapes do not agree, or there are gaps where none may be.</exception>
    public static void Forward(
        ReadOnlySpan2D<float> u,
        ReadOnlySpan2D<float> dt,
        ReadOnlySpan<float> bias,
        ReadOnlySpan<float> decay,
        ReadOnlySpan2D<float> b,
        ReadOnlySpan2D<float> c,
        ReadOnlySpan<float> d,
        ReadOnlySpan2D<float> z,
        Span<float> state,
        Span2D<float> y)
    {
        (int length, int channels, int states) = (u.Height, u.Width, b.Width);
        if (length == 0)
        {
            return;
        }

        SpanRows.RequireDense(u, length, channels);
        SpanRows.Require(dt, length, channels);
        Throw.UnlessLength(bias.IsEmpty ? 0 : channels, bias.Length);
        Throw.UnlessLength((long)channels * states, decay.Length);
        SpanRows.Require(b, length, states);
        SpanRows.Require(c, length, states);
        Throw.UnlessLength(b.Pitch(), c.Pitch(), nameof(c));
        Throw.UnlessLength(d.IsEmpty ? 0 : channels, d.Length);
        SpanRows.Require(z, length, channels);
        Throw.UnlessLength((long)channels * states, state.Length);
        SpanRows.RequireDense(y, length, channels);
        fixed (float* pu = u, pdt = dt, pbias = bias, pdecay = decay, pb = b, pc = c, pd = d, pz = z, pstate = state, py = y)
        {
            SelectiveScan scan = new()
            {
                U = pu, Dt = pdt, DtPitch = dt.Pitch(), Bias = pbias, Softplus = true, Decay = pdecay, B = pb, C = pc, Pitch = b.Pitch(),
                D = pd, Z = pz, ZPitch = z.Pitch(), State = pstate, Y = py, Length = length, Channels = channels, States = states,
            };
            scan.Forward(0, channels);
        }
    }

    /// <summary>A log2(e) of the channels [start, end), so that e^(delta A) is a power of two.</summary>
    /// <param name="aLog">[channels, states]: A = -exp(aLog).</param>
    /// <param name="decay">[channels, states] in panels, as <see cref="ChannelPanels"/>.</param>
    /// <param name="channels">Channels of both.</param>
    /// <param name="states">States of a channel.</param>
    /// <param name="start">First channel to compute.</param>
    /// <param name="end">End of the channels to compute.</param>
    public static void Decays(float* aLog, float* decay, int channels, int states, int start, int end)
    {
        ChannelPanels panels = new(channels, states);
        aLog += (long)start * states;
        for (int c = start; c < end; c++)
        {
            long at = panels.Offset(c);
            int pitch = panels.Pitch(c);
            for (int n = 0; n < states; n++, at += pitch)
            {
                decay[at] = -MathF.Exp(*aLog++) * Log2E;
            }
        }
    }
}
