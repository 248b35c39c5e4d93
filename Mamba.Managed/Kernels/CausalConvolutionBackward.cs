using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Gradients of <see cref="CausalConvolution"/> over one sequence, a vector of channels at a time.</summary>
/// <remarks>
/// With p[t] = bias + sum over j of w[j] x[t - width + 1 + j] and y = silu(p), s = sigmoid(p):
/// <code>
/// dp[t] = dy[t] s (1 + p (1 - s))        dbias += sum of dp[t]        dw[j] += sum over t of dp[t] x[t - width + 1 + j]
/// dx[t] = sum over j of w[j] dp[t + width - 1 - j]
/// </code>
/// x at negative times is the window (conv_state) before the sequence. The window after the sequence is its last inputs, so the gradient of that window
/// is added to dx, and for short sequences to the gradient of the window before.
/// </remarks>
internal readonly unsafe struct CausalConvolutionBackward : IRangeKernel
{
    /// <summary>[length, channels] with a pitch of <see cref="Pitch"/>: the input.</summary>
    public required float* X { get; init; }

    /// <summary>[length, channels] with a pitch of <see cref="Pitch"/>: receives the gradient of the input.</summary>
    public required float* XGradient { get; init; }

    /// <summary>Distance between rows of <see cref="X"/> and of <see cref="XGradient"/>.</summary>
    public required int Pitch { get; init; }

    /// <summary>[width, channels]</summary>
    public required float* Weight { get; init; }

    /// <summary>[channels] or null.</summary>
    public required float* Bias { get; init; }

    /// <summary>[width, channels]: the inputs before the first row, oldest first, or null where they are zero.</summary>
    public required float* Window { get; init; }

    /// <summary>[width, channels] or null: the gradient of the window after the last row; of the window before the first row on return.</summary>
    public required float* ConvStateGradient { get; init; }

    /// <summary>[length, channels]: the gradient of the output; overwritten by that of p.</summary>
    public required float* OutputGradient { get; init; }

    /// <summary>[width, channels]: receives the sum over this sequence.</summary>
    public required float* WeightGradient { get; init; }

    /// <summary>[channels]: receives the sum over this sequence.</summary>
    public required float* BiasGradient { get; init; }

    /// <summary>Rows.</summary>
    public required int Length { get; init; }

    /// <summary>Channels of all arrays.</summary>
    public required int Channels { get; init; }

    /// <summary>Width of the convolution.</summary>
    public required int Width { get; init; }

    /// <summary>Computes the gradients for the channels [start, end).</summary>
    public void Run(int start, int end)
    {
        Debug.Assert(start >= 0 && start <= end && end <= Channels && Length >= 1 && Width >= 1 && Pitch >= Channels, "no range");
        Debug.Assert(X is not null && XGradient is not null && Weight is not null && OutputGradient is not null, "no array");
        Widths.Run(this, start, end);
    }

    /// <inheritdoc/>
    public int Run<L, V>(int start, int end)
        where L : struct, ILanes<V>
    {
        int c = start;
        for (; c + L.Count <= end; c += L.Count)
        {
            Parameters<L, V>(c);
            for (int t = 0; t < Length; t++)
            {
                V sum = ConvStateGradient is not null && t >= Length - Width ? L.Load(ConvStateGradient + At(t - Length + Width, c)) : L.Broadcast(0);
                L.Store(XGradient + ((long)t * Pitch) + c, Reach<L, V>(t, c, sum));
            }

            // Newest first: each row is read as the gradient of the window after before it is overwritten with that of the window before.
            for (int slot = Width - 1; ConvStateGradient is not null && slot >= 0; slot--)
            {
                V sum = slot >= Length ? L.Load(ConvStateGradient + At(slot - Length, c)) : L.Broadcast(0);
                L.Store(ConvStateGradient + At(slot, c), Reach<L, V>(slot - Width, c, sum));
            }
        }

        return c;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Parameters<L, V>(int c)
        where L : struct, ILanes<V>
    {
        V one = L.Broadcast(1), biasSum = L.Broadcast(0);
        for (int j = 0; j < Width; j++)
        {
            L.Store(WeightGradient + At(j, c), L.Broadcast(0));
        }

        for (int t = 0; t < Length; t++)
        {
            V p = Bias is null ? L.Broadcast(0) : L.Load(Bias + c);
            for (int j = 0; j < Width; j++)
            {
                p = L.MultiplyAdd(L.Load(Weight + At(j, c)), Input<L, V>(t - Width + 1 + j, c), p);
            }

            V sigmoid = Elementary.Sigmoid<L, V>(p);
            V slope = L.Multiply(sigmoid, L.MultiplyAdd(p, L.Subtract(one, sigmoid), one));
            V gradient = L.Multiply(L.Load(OutputGradient + At(t, c)), slope);
            L.Store(OutputGradient + At(t, c), gradient);
            biasSum = L.Add(biasSum, gradient);
            for (int j = 0; j < Width; j++)
            {
                float* sum = WeightGradient + At(j, c);
                L.Store(sum, L.MultiplyAdd(gradient, Input<L, V>(t - Width + 1 + j, c), L.Load(sum)));
            }
        }

        L.Store(BiasGradient + c, biasSum);
    }

    // The gradient of the input at time t, negative within the window: it contributed to p[t] up to p[t + width - 1].
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private V Reach<L, V>(int t, int c, V sum)
        where L : struct, ILanes<V>
    {
        int first = Math.Max(0, t + Width - Length), last = Math.Min(Width - 1, t + Width - 1);
        for (int j = first; j <= last; j++)
        {
            sum = L.MultiplyAdd(L.Load(Weight + At(j, c)), L.Load(OutputGradient + At(t + Width - 1 - j, c)), sum);
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private V Input<L, V>(int t, int c)
        where L : struct, ILanes<V> =>
        t >= 0 ? L.Load(X + ((long)t * Pitch) + c) : Window is null ? L.Broadcast(0) : L.Load(Window + At(Width + t, c));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long At(int row, int c) => ((long)row * Channels) + c;
}
