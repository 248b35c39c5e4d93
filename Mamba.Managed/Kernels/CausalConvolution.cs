using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Depthwise causal convolution over time with optional SiLU: y[t, c] = silu(bias[c] + sum over j of w[j, c] x[t - width + 1 + j, c]).</summary>
/// <remarks>Gu and Dao 2023, figure 3; <c>causal_conv1d</c> with SiLU upstream. Inputs before the first row come from conv_state, here the window.</remarks>
internal static unsafe partial class CausalConvolution
{
    /// <summary>Runs over one sequence, for the channels [start, end).</summary>
    /// <param name="x">First channel of row 0 of the input, [length, channels] with a pitch of <paramref name="xPitch"/>.</param>
    /// <param name="xPitch">Distance between rows of x.</param>
    /// <param name="weight">[width, channels]</param>
    /// <param name="bias">[channels] or null.</param>
    /// <param name="window">[width, channels]: conv_state, the last inputs before row 0, oldest first; on return, up to the last row.</param>
    /// <param name="y">[length, channels]; must not overlap x.</param>
    /// <param name="length">Rows; 0 is allowed.</param>
    /// <param name="channels">Channels of all arrays.</param>
    /// <param name="width">Width of the convolution.</param>
    /// <param name="silu">Whether SiLU follows.</param>
    /// <param name="start">First channel to compute.</param>
    /// <param name="end">End of the channels to compute.</param>
    /// <param name="next">The window of the next sequence to be computed, or null: a decode step prefetches it.</param>
    public static void Forward(
        float* x, int xPitch, float* weight, float* bias, float* window, float* y, int length, int channels, int width, bool silu, int start, int end,
        float* next = null)
    {
        Debug.Assert(x is not null && weight is not null && window is not null && y is not null, "no array");
        Debug.Assert(length >= 0 && width >= 1 && start >= 0 && start <= end && end <= channels && xPitch >= 0, "no range");
        Debug.Assert(length == 0 || y >= x + ((length - 1L) * xPitch) + channels || y + ((long)length * channels) <= x, "y overlaps x");
        Widths.Run(new Sequence(x, xPitch, weight, bias, window, y, length, channels, width, silu, next), start, end);
    }

    private readonly struct Sequence(
        float* x, int xPitch, float* weight, float* bias, float* window, float* y, int length, int channels, int width, bool silu, float* next)
        : IRangeKernel
    {
        public int Run<L, V>(int start, int end)
            where L : struct, ILanes<V>
        {
            end = start + ((end - start) / L.Count * L.Count);
            if (length == 1)
            {
                OneRow<L, V>(start, end);
            }
            else
            {
                Rows<L, V>(start, end);
            }

            return end;
        }

        // A decode step: shifts the window by one row and accumulates in the same pass, and prefetches the window that is needed next.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void OneRow<L, V>(int start, int end)
            where L : struct, ILanes<V>
        {
            int c = start;
            for (; c <= end - (4 * L.Count); c += 4 * L.Count)
            {
                PrefetchNext(c, 4 * L.Count);
                V s0 = Bias<L, V>(c), s1 = Bias<L, V>(c + L.Count), s2 = Bias<L, V>(c + (2 * L.Count)), s3 = Bias<L, V>(c + (3 * L.Count));
                float* by = weight + c, slot = window + c;
                for (int j = width - 1; j >= 0; j--, slot += channels, by += channels)
                {
                    float* from = j > 0 ? slot + channels : x + c;
                    s0 = Move<L, V>(from, slot, by, s0);
                    s1 = Move<L, V>(from + L.Count, slot + L.Count, by + L.Count, s1);
                    s2 = Move<L, V>(from + (2 * L.Count), slot + (2 * L.Count), by + (2 * L.Count), s2);
                    s3 = Move<L, V>(from + (3 * L.Count), slot + (3 * L.Count), by + (3 * L.Count), s3);
                }

                Finish<L, V>(y + c, s0, s1, s2, s3);
            }

            for (; c < end; c += L.Count)
            {
                V sum = Bias<L, V>(c);
                float* by = weight + c, slot = window + c;
                for (int j = width - 1; j >= 0; j--, slot += channels, by += channels)
                {
                    sum = Move<L, V>(j > 0 ? slot + channels : x + c, slot, by, sum);
                }

                L.Store(y + c, silu ? Elementary.Silu<L, V>(sum) : sum);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void PrefetchNext(int c, int count)
        {
            if (next is null)
            {
                return;
            }

            float* line = next + c;
            for (int j = width; j > 0; j--, line += channels)
            {
                Prefetch.Lines(line, count * sizeof(float));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static V Move<L, V>(float* from, float* slot, float* by, V sum)
            where L : struct, ILanes<V>
        {
            V input = L.Load(from);
            L.Store(slot, input);
            return L.MultiplyAdd(L.Load(by), input, sum);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Rows<L, V>(int start, int end)
            where L : struct, ILanes<V>
        {
            // Row by row, in memory order; the previous rows are still in the L1 cache.
            for (int t = 0; t < length; t++)
            {
                float* to = y + ((long)t * channels);
                if (t >= width - 1)
                {
                    Row<L, V>(x + ((long)(t - width + 1) * xPitch), xPitch, to, start, end);
                    continue;
                }

                for (int c = start; c < end; c += L.Count)
                {
                    V sum = Begin<L, V>(t, c);
                    L.Store(to + c, silu ? Elementary.Silu<L, V>(sum) : sum);
                }
            }

            // Oldest first, so that each row of the window is read before it is overwritten.
            for (int j = 0; j < width; j++)
            {
                for (int c = start; c < end; c += L.Count)
                {
                    L.Store(window + ((long)j * channels) + c, L.Load(Input(length - width + j, c)));
                }
            }
        }

        // One row of y, from the rows that its taps read, oldest first.
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        private void Row<L, V>(float* oldest, nint pitch, float* to, int start, int end)
            where L : struct, ILanes<V>
        {
            int c = start;
            for (; c <= end - (4 * L.Count); c += 4 * L.Count)
            {
                Four<L, V>(oldest + c, pitch, c, to + c);
            }

            for (; c < end; c += L.Count)
            {
                V sum = Taps<L, V>(oldest + c, pitch, c);
                L.Store(to + c, silu ? Elementary.Silu<L, V>(sum) : sum);
            }
        }

        // Four vectors interleaved: each alone is a chain of dependent operations that would wait for its own latency.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Four<L, V>(float* from, nint pitch, int c, float* to)
            where L : struct, ILanes<V>
        {
            V s0 = Bias<L, V>(c), s1 = Bias<L, V>(c + L.Count), s2 = Bias<L, V>(c + (2 * L.Count)), s3 = Bias<L, V>(c + (3 * L.Count));
            float* by = weight + c;
            for (int j = width; j > 0; j--, from += pitch, by += channels)
            {
                s0 = L.MultiplyAdd(L.Load(by), L.Load(from), s0);
                s1 = L.MultiplyAdd(L.Load(by + L.Count), L.Load(from + L.Count), s1);
                s2 = L.MultiplyAdd(L.Load(by + (2 * L.Count)), L.Load(from + (2 * L.Count)), s2);
                s3 = L.MultiplyAdd(L.Load(by + (3 * L.Count)), L.Load(from + (3 * L.Count)), s3);
            }

            Finish<L, V>(to, s0, s1, s2, s3);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Finish<L, V>(float* to, V s0, V s1, V s2, V s3)
            where L : struct, ILanes<V>
        {
            if (silu)
            {
                Elementary.Silu<L, V>(ref s0, ref s1, ref s2, ref s3);
            }

            L.Store(to, s0);
            L.Store(to + L.Count, s1);
            L.Store(to + (2 * L.Count), s2);
            L.Store(to + (3 * L.Count), s3);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private V Bias<L, V>(int c)
            where L : struct, ILanes<V> => bias is null ? L.Broadcast(0) : L.Load(bias + c);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private V Taps<L, V>(float* from, nint pitch, int c)
            where L : struct, ILanes<V>
        {
            V sum = Bias<L, V>(c);
            float* by = weight + c;
            for (int j = width; j > 0; j--, from += pitch, by += channels)
            {
                sum = L.MultiplyAdd(L.Load(by), L.Load(from), sum);
            }

            return sum;
        }

        // One of the first rows, whose taps reach back into the window.
        private V Begin<L, V>(int t, int c)
            where L : struct, ILanes<V>
        {
            V sum = Bias<L, V>(c);
            for (int j = 0; j < width; j++)
            {
                sum = L.MultiplyAdd(L.Load(weight + ((long)j * channels) + c), L.Load(Input(t - width + 1 + j, c)), sum);
            }

            return sum;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private float* Input(int t, int c) => t >= 0 ? x + ((long)t * xPitch) + c : window + ((long)(width + t) * channels) + c;
    }
}
