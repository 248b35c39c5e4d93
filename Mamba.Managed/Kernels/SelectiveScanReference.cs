namespace Mamba.Managed.Kernels;

/// <summary>The selective scan as the paper states it, one scalar operation at a time: the definition that fast forms are held to.</summary>
/// <remarks>
/// Gu and Dao 2023, equations 2 and 4 with the discretization of <c>selective_scan_ref</c> in state-spaces/mamba: for every channel c,
/// state n and time t
/// <code>
/// delta[t, c] = softplus(dt[t, c] + bias[c])                                   (softplus and bias where given)
/// h[t, c, n]  = exp(delta[t, c] A[c, n]) h[t-1, c, n] + delta[t, c] B[t, n] u[t, c]
/// y[t, c]     = (sum over n of h[t, c, n] C[t, n]  +  D[c] u[t, c]) silu(z[t, c])
/// </code>
/// </remarks>
public static class SelectiveScanReference
{
    /// <summary>Runs the scan over one sequence.</summary>
    /// <param name="u">[length, channels]</param>
    /// <param name="dt">[length, channels]: the step before bias and softplus.</param>
    /// <param name="a">[channels, states]: A, negative in a stable system.</param>
    /// <param name="b">[length, states]</param>
    /// <param name="c">[length, states]</param>
    /// <param name="d">[channels], or empty for no skip term.</param>
    /// <param name="z">[length, channels], or empty for no gate.</param>
    /// <param name="bias">[channels], or empty for none.</param>
    /// <param name="softplus">Whether the step passes through softplus.</param>
    /// <param name="state">[channels, states]: h before the first row; h after the last row on return.</param>
    /// <param name="y">[length, channels]; may be <paramref name="u"/> itself.</param>
    /// <param name="channels">How many channels: d_inner.</param>
    /// <param name="states">States of one channel: d_state.</param>
    /// <exception cref="ArgumentException">A length contradicts the others.</exception>
    public static void Forward(
        ReadOnlySpan<float> u,
        ReadOnlySpan<float> dt,
        ReadOnlySpan<float> a,
        ReadOnlySpan<float> b,
        ReadOnlySpan<float> c,
        ReadOnlySpan<float> d,
        ReadOnlySpan<float> z,
        ReadOnlySpan<float> bias,
        bool softplus,
        Span<float> state,
        Span<float> y,
        int channels,
        int states)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(channels);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(states);
        int length = u.Length / channels;
        Throw.UnlessLength(length * channels, u.Length);
        Throw.UnlessLength(u.Length, dt.Length);
        Throw.UnlessLength(channels * states, a.Length);
        Throw.UnlessLength(length * states, b.Length);
        Throw.UnlessLength(length * states, c.Length);
        Throw.UnlessLength(d.IsEmpty ? 0 : channels, d.Length);
        Throw.UnlessLength(z.IsEmpty ? 0 : u.Length, z.Length);
        Throw.UnlessLength(bias.IsEmpty ? 0 : channels, bias.Length);
        Throw.UnlessLength(channels * states, state.Length);
        Throw.UnlessLength(u.Length, y.Length);

        for (int t = 0; t < length; t++)
        {
            for (int channel = 0; channel < channels; channel++)
            {
                int at = (t * channels) + channel;
                float step = dt[at] + (bias.IsEmpty ? 0 : bias[channel]);
                float delta = softplus ? Softplus(step) : step;
                float input = u[at];
                float sum = d.IsEmpty ? 0 : d[channel] * input;
                for (int n = 0; n < states; n++)
                {
                    ref float h = ref state[(channel * states) + n];
                    h = (MathF.Exp(delta * a[(channel * states) + n]) * h) + (delta * b[(t * states) + n] * input);
                    sum += h * c[(t * states) + n];
                }

                y[at] = z.IsEmpty ? sum : sum * z[at] / (1 + MathF.Exp(-z[at]));
            }
        }
    }

    // log(1 + e^x) without overflow; for large x it is x to the last bit.
    private static float Softplus(float x) => x > 20 ? x : (float)Math.Log(1 + Math.Exp(x));
}
