using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <content>The sums of one tile, in registers.</content>
internal readonly unsafe partial struct ProductTile
{
    // Accumulators as separate locals: the JIT keeps them in registers, and leaves out those beyond the constants Rows and Vectors.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Sum<L, V, Vectors, Rows, Order>(float* right, float* t, float* secondRight, float* u)
        where L : struct, ILanes<V>
        where Vectors : struct, ICount
        where Rows : struct, ICount
        where Order : struct, IOrder
    {
        nint pitch = Pitch, leftPitch = LeftPitch;
        float* r = Left;
        byte* ahead = Ahead;
        nint step = AheadStep, second = (nint)(SecondRight - Right) * sizeof(float);
        for (int tile = Count; tile > 0; tile--)
        {
            float* w = right, x = secondRight;
            V a0 = L.Broadcast(0), b0 = a0, c0 = a0, d0 = a0, e0 = a0, f0 = a0, g0 = a0, h0 = a0, i0 = a0, j0 = a0, k0 = a0, l0 = a0;
            V a1 = a0, b1 = a0, c1 = a0, d1 = a0, e1 = a0, f1 = a0, g1 = a0, h1 = a0, i1 = a0, j1 = a0, k1 = a0, l1 = a0;
            if (Accumulate)
            {
                a0 = Rows.Value > 0 ? L.Load(t) : a0;
                a1 = Rows.Value > 0 && Vectors.Value > 1 ? L.Load(u) : a1;
                b0 = Rows.Value > 1 ? L.Load(t + pitch) : b0;
                b1 = Rows.Value > 1 && Vectors.Value > 1 ? L.Load(u + pitch) : b1;
                c0 = Rows.Value > 2 ? L.Load(t + (2 * pitch)) : c0;
                c1 = Rows.Value > 2 && Vectors.Value > 1 ? L.Load(u + (2 * pitch)) : c1;
                d0 = Rows.Value > 3 ? L.Load(t + (3 * pitch)) : d0;
                d1 = Rows.Value > 3 && Vectors.Value > 1 ? L.Load(u + (3 * pitch)) : d1;
                e0 = Rows.Value > 4 ? L.Load(t + (4 * pitch)) : e0;
                e1 = Rows.Value > 4 && Vectors.Value > 1 ? L.Load(u + (4 * pitch)) : e1;
                f0 = Rows.Value > 5 ? L.Load(t + (5 * pitch)) : f0;
                f1 = Rows.Value > 5 && Vectors.Value > 1 ? L.Load(u + (5 * pitch)) : f1;
                g0 = Rows.Value > 6 ? L.Load(t + (6 * pitch)) : g0;
                g1 = Rows.Value > 6 && Vectors.Value > 1 ? L.Load(u + (6 * pitch)) : g1;
                h0 = Rows.Value > 7 ? L.Load(t + (7 * pitch)) : h0;
                h1 = Rows.Value > 7 && Vectors.Value > 1 ? L.Load(u + (7 * pitch)) : h1;
                i0 = Rows.Value > 8 ? L.Load(t + (8 * pitch)) : i0;
                i1 = Rows.Value > 8 && Vectors.Value > 1 ? L.Load(u + (8 * pitch)) : i1;
                j0 = Rows.Value > 9 ? L.Load(t + (9 * pitch)) : j0;
                j1 = Rows.Value > 9 && Vectors.Value > 1 ? L.Load(u + (9 * pitch)) : j1;
                k0 = Rows.Value > 10 ? L.Load(t + (10 * pitch)) : k0;
                k1 = Rows.Value > 10 && Vectors.Value > 1 ? L.Load(u + (10 * pitch)) : k1;
                l0 = Rows.Value > 11 ? L.Load(t + (11 * pitch)) : l0;
                l1 = Rows.Value > 11 && Vectors.Value > 1 ? L.Load(u + (11 * pitch)) : l1;
            }

            int k = Depth;

            // Four terms at a time: a processor whose other thread is busy has few slots left for counting. The widest tile is four times as large anyway.
            for (; L.Count < Width && k >= 4; k -= 4)
            {
                Fetch<L, V, Vectors>(ahead, second);
                if (step > Prefetch.LineBytes / 4)
                {
                    Fetch<L, V, Vectors>(ahead + step, second);
                    Fetch<L, V, Vectors>(ahead + (2 * step), second);
                    Fetch<L, V, Vectors>(ahead + (3 * step), second);
                }

                Term<L, V, Vectors, Rows, Order>(
                    0, r, leftPitch, w, x,
                    ref a0, ref b0, ref c0, ref d0, ref e0, ref f0, ref g0, ref h0, ref i0, ref j0, ref k0, ref l0,
                    ref a1, ref b1, ref c1, ref d1, ref e1, ref f1, ref g1, ref h1, ref i1, ref j1, ref k1, ref l1);
                Term<L, V, Vectors, Rows, Order>(
                    1, r, leftPitch, w, x,
                    ref a0, ref b0, ref c0, ref d0, ref e0, ref f0, ref g0, ref h0, ref i0, ref j0, ref k0, ref l0,
                    ref a1, ref b1, ref c1, ref d1, ref e1, ref f1, ref g1, ref h1, ref i1, ref j1, ref k1, ref l1);
                Term<L, V, Vectors, Rows, Order>(
                    2, r, leftPitch, w, x,
                    ref a0, ref b0, ref c0, ref d0, ref e0, ref f0, ref g0, ref h0, ref i0, ref j0, ref k0, ref l0,
                    ref a1, ref b1, ref c1, ref d1, ref e1, ref f1, ref g1, ref h1, ref i1, ref j1, ref k1, ref l1);
                Term<L, V, Vectors, Rows, Order>(
                    3, r, leftPitch, w, x,
                    ref a0, ref b0, ref c0, ref d0, ref e0, ref f0, ref g0, ref h0, ref i0, ref j0, ref k0, ref l0,
                    ref a1, ref b1, ref c1, ref d1, ref e1, ref f1, ref g1, ref h1, ref i1, ref j1, ref k1, ref l1);
                ahead += 4 * step;
                r += 4 * Order.Step(Rows.Value);
                w += 4 * Width;
                x += 4 * Width;
            }

            for (; k > 0; k--)
            {
                Fetch<L, V, Vectors>(ahead, second);
                Term<L, V, Vectors, Rows, Order>(
                    0, r, leftPitch, w, x,
                    ref a0, ref b0, ref c0, ref d0, ref e0, ref f0, ref g0, ref h0, ref i0, ref j0, ref k0, ref l0,
                    ref a1, ref b1, ref c1, ref d1, ref e1, ref f1, ref g1, ref h1, ref i1, ref j1, ref k1, ref l1);
                ahead += step;
                r += Order.Step(Rows.Value);
                w += Width;
                x += Width;
            }

            if (Rows.Value > 0)
            {
                L.Store(t, a0);
                if (Vectors.Value > 1)
                {
                    L.Store(u, a1);
                }
            }

            if (Rows.Value > 1)
            {
                L.Store(t + pitch, b0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + pitch, b1);
                }
            }

            if (Rows.Value > 2)
            {
                L.Store(t + (2 * pitch), c0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + (2 * pitch), c1);
                }
            }

            if (Rows.Value > 3)
            {
                L.Store(t + (3 * pitch), d0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + (3 * pitch), d1);
                }
            }

            if (Rows.Value > 4)
            {
                L.Store(t + (4 * pitch), e0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + (4 * pitch), e1);
                }
            }

            if (Rows.Value > 5)
            {
                L.Store(t + (5 * pitch), f0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + (5 * pitch), f1);
                }
            }

            if (Rows.Value > 6)
            {
                L.Store(t + (6 * pitch), g0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + (6 * pitch), g1);
                }
            }

            if (Rows.Value > 7)
            {
                L.Store(t + (7 * pitch), h0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + (7 * pitch), h1);
                }
            }

            if (Rows.Value > 8)
            {
                L.Store(t + (8 * pitch), i0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + (8 * pitch), i1);
                }
            }

            if (Rows.Value > 9)
            {
                L.Store(t + (9 * pitch), j0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + (9 * pitch), j1);
                }
            }

            if (Rows.Value > 10)
            {
                L.Store(t + (10 * pitch), k0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + (10 * pitch), k1);
                }
            }

            if (Rows.Value > 11)
            {
                L.Store(t + (11 * pitch), l0);
                if (Vectors.Value > 1)
                {
                    L.Store(u + (11 * pitch), l1);
                }
            }

            r += Order.Next(Depth, leftPitch, Rows.Value);
            t += Rows.Value * pitch;
            u += Rows.Value * pitch;
        }
    }

    // The products of one term with all rows join the sums.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Term<L, V, Vectors, Rows, Order>(
        int term, float* r, nint leftPitch, float* w, float* x,
        ref V a0, ref V b0, ref V c0, ref V d0, ref V e0, ref V f0, ref V g0, ref V h0, ref V i0, ref V j0, ref V k0, ref V l0,
        ref V a1, ref V b1, ref V c1, ref V d1, ref V e1, ref V f1, ref V g1, ref V h1, ref V i1, ref V j1, ref V k1, ref V l1)
        where L : struct, ILanes<V>
        where Vectors : struct, ICount
        where Rows : struct, ICount
        where Order : struct, IOrder
    {
        V w0 = L.Load(w + (term * Width)), w1 = Vectors.Value > 1 ? L.Load(x + (term * Width)) : w0;
        V value = L.Broadcast(Order.Entry(r, leftPitch, 0, term, Rows.Value));
        a0 = L.MultiplyAdd(value, w0, a0);
        a1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, a1) : a1;
        if (Rows.Value > 1)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 1, term, Rows.Value));
            b0 = L.MultiplyAdd(value, w0, b0);
            b1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, b1) : b1;
        }

        if (Rows.Value > 2)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 2, term, Rows.Value));
            c0 = L.MultiplyAdd(value, w0, c0);
            c1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, c1) : c1;
        }

        if (Rows.Value > 3)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 3, term, Rows.Value));
            d0 = L.MultiplyAdd(value, w0, d0);
            d1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, d1) : d1;
        }

        if (Rows.Value > 4)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 4, term, Rows.Value));
            e0 = L.MultiplyAdd(value, w0, e0);
            e1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, e1) : e1;
        }

        if (Rows.Value > 5)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 5, term, Rows.Value));
            f0 = L.MultiplyAdd(value, w0, f0);
            f1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, f1) : f1;
        }

        if (Rows.Value > 6)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 6, term, Rows.Value));
            g0 = L.MultiplyAdd(value, w0, g0);
            g1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, g1) : g1;
        }

        if (Rows.Value > 7)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 7, term, Rows.Value));
            h0 = L.MultiplyAdd(value, w0, h0);
            h1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, h1) : h1;
        }

        if (Rows.Value > 8)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 8, term, Rows.Value));
            i0 = L.MultiplyAdd(value, w0, i0);
            i1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, i1) : i1;
        }

        if (Rows.Value > 9)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 9, term, Rows.Value));
            j0 = L.MultiplyAdd(value, w0, j0);
            j1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, j1) : j1;
        }

        if (Rows.Value > 10)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 10, term, Rows.Value));
            k0 = L.MultiplyAdd(value, w0, k0);
            k1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, k1) : k1;
        }

        if (Rows.Value > 11)
        {
            value = L.Broadcast(Order.Entry(r, leftPitch, 11, term, Rows.Value));
            l0 = L.MultiplyAdd(value, w0, l0);
            l1 = Vectors.Value > 1 ? L.MultiplyAdd(value, w1, l1) : l1;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch<L, V, Vectors>(byte* ahead, nint second)
        where L : struct, ILanes<V>
        where Vectors : struct, ICount
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(ahead);
            if (L.Count == Width && Vectors.Value > 1)
            {
                Sse.Prefetch1(ahead + second);
            }
        }
    }

    // Where the entries of the left side are.
    private interface IOrder
    {
        static abstract float Entry(float* r, nint pitch, int row, int term, int rows);

        static abstract int Step(int rows);

        // From the end of a tile to the next.
        static abstract nint Next(int depth, nint pitch, int rows);
    }

    private readonly struct Sliver : IOrder
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float Entry(float* r, nint pitch, int row, int term, int rows) => r[(term * rows) + row];

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int Step(int rows) => rows;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static nint Next(int depth, nint pitch, int rows) => 0;
    }

    private readonly struct Lying : IOrder
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float Entry(float* r, nint pitch, int row, int term, int rows) => r[(row * pitch) + term];

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int Step(int rows) => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static nint Next(int depth, nint pitch, int rows) => (rows * pitch) - depth;
    }
}
