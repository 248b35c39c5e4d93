using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <content>The prologue and epilogue of a tile, row by row: softplus of delta and the skip term before the states, the gate after them.</content>
internal readonly unsafe partial struct SelectiveScan
{
    // How many rows ahead rows are prefetched.
    private const int Ahead = 8;

    // A tile reads a short piece of each row, too short for the hardware prefetcher to detect a stream.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchRow(float* row, int width)
    {
        for (int i = 0; i < width; i += Prefetch.LineBytes / sizeof(float))
        {
            Prefetch.Line(row + i);
        }
    }

    // Row by row, in memory order. The buffers hold one vector of channels over all rows, then the next. Four vectors are interleaved, because softplus is
    // a long chain of dependent operations.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Begin<L, V>(int t, int rows, int c, int width, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
    {
        for (int row = 0; row < rows; row++, delta += L.Count, input += L.Count, sum += L.Count)
        {
            long at = ((long)(t + row) * Channels) + c;
            float* dt = Dt + ((long)(t + row) * DtPitch) + c;
            if (Length > 1)
            {
                FetchRow(U + at + (Ahead * Channels), width);
                FetchRow(dt + (Ahead * DtPitch), width);
            }

            int i = 0;
            for (; i + (4 * L.Count) <= width; i += 4 * L.Count)
            {
                int second = i + L.Count, third = second + L.Count, fourth = third + L.Count;
                V s0 = Step<L, V>(dt + i, c + i), s1 = Step<L, V>(dt + second, c + second);
                V s2 = Step<L, V>(dt + third, c + third), s3 = Step<L, V>(dt + fourth, c + fourth);
                if (Softplus)
                {
                    Elementary.Softplus<L, V>(ref s0, ref s1, ref s2, ref s3);
                }

                Enter<L, V>(s0, at, c, i, delta, input, sum);
                Enter<L, V>(s1, at, c, second, delta, input, sum);
                Enter<L, V>(s2, at, c, third, delta, input, sum);
                Enter<L, V>(s3, at, c, fourth, delta, input, sum);
            }

            for (; i < width; i += L.Count)
            {
                V step = Step<L, V>(dt + i, c + i);
                Enter<L, V>(Softplus ? Elementary.Softplus<L, V>(step) : step, at, c, i, delta, input, sum);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private V Step<L, V>(float* dt, int c)
        where L : struct, ILanes<V> => L.Add(L.Load(dt), Bias is null ? L.Broadcast(0) : L.Load(Bias + c));

    // Stores delta, delta u, and the skip term D u, from which the sum over states starts.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Enter<L, V>(V step, long at, int c, int i, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
    {
        V u = L.Load(U + at + i);
        int to = i * TileLength;
        L.Store(delta + to, step);
        L.Store(input + to, L.Multiply(step, u));
        L.Store(sum + to, L.Multiply(D is null ? L.Broadcast(0) : L.Load(D + c + i), u));
    }

    // Applies the gate to the sums, with four vectors interleaved as above.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Finish<L, V>(int t, int rows, int c, int width, float* sum)
        where L : struct, ILanes<V>
    {
        for (int row = 0; row < rows; row++, sum += L.Count)
        {
            float* y = Y + ((long)(t + row) * Channels) + c;
            float* z = Z + ((long)(t + row) * ZPitch) + c;
            if (Length > 1)
            {
                FetchRow(z + (Ahead * ZPitch), width);
                FetchRow(y + (Ahead * Channels), width);
            }

            int i = 0;
            for (; Z is not null && i + (4 * L.Count) <= width; i += 4 * L.Count)
            {
                int second = i + L.Count, third = second + L.Count, fourth = third + L.Count;
                V g0 = L.Load(z + i), g1 = L.Load(z + second), g2 = L.Load(z + third), g3 = L.Load(z + fourth);
                Elementary.Silu<L, V>(ref g0, ref g1, ref g2, ref g3);
                L.Store(y + i, L.Multiply(L.Load(sum + (i * TileLength)), g0));
                L.Store(y + second, L.Multiply(L.Load(sum + (second * TileLength)), g1));
                L.Store(y + third, L.Multiply(L.Load(sum + (third * TileLength)), g2));
                L.Store(y + fourth, L.Multiply(L.Load(sum + (fourth * TileLength)), g3));
            }

            for (; i < width; i += L.Count)
            {
                V total = L.Load(sum + (i * TileLength));
                L.Store(y + i, Z is null ? total : L.Multiply(total, Elementary.Silu<L, V>(L.Load(z + i))));
            }
        }
    }
}
