using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <content>The loop over the depth, with the sums of one tile in registers.</content>
internal readonly unsafe partial struct MicroKernel
{
    // Accumulators are separate locals, since the JIT keeps locals in registers but not array elements. sizeof(Rows) and sizeof(Vectors) are constants,
    // so accumulators that a tile does not have disappear.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Sum<L, V, Vectors, Rows, Order>(float* right, float* t, float* secondB, float* u)
        where L : struct, ILanes<V>
        where Vectors : unmanaged, ICount
        where Rows : unmanaged, ICount
        where Order : struct, ILayoutOfA
    {
        nint pitch = CPitch, aPitch = APitch;
        float* r = A;
        byte* ahead = PrefetchFrom;
        nint step = PrefetchStep, second = PrefetchPitch;
        for (int tile = Count; tile > 0; tile--)
        {
            float* w = right, x = secondB;
            V a0 = L.Broadcast(0), b0 = a0, c0 = a0, d0 = a0, e0 = a0, f0 = a0, g0 = a0, h0 = a0, i0 = a0, j0 = a0, k0 = a0, l0 = a0;
            V a1 = a0, b1 = a0, c1 = a0, d1 = a0, e1 = a0, f1 = a0, g1 = a0, h1 = a0, i1 = a0, j1 = a0, k1 = a0, l1 = a0;
            if (Accumulate)
            {
                a0 = sizeof(Rows) > 0 ? L.Load(t) : a0;
                a1 = sizeof(Rows) > 0 && sizeof(Vectors) > 1 ? L.Load(u) : a1;
                b0 = sizeof(Rows) > 1 ? L.Load(t + pitch) : b0;
                b1 = sizeof(Rows) > 1 && sizeof(Vectors) > 1 ? L.Load(u + pitch) : b1;
                c0 = sizeof(Rows) > 2 ? L.Load(t + (2 * pitch)) : c0;
                c1 = sizeof(Rows) > 2 && sizeof(Vectors) > 1 ? L.Load(u + (2 * pitch)) : c1;
                d0 = sizeof(Rows) > 3 ? L.Load(t + (3 * pitch)) : d0;
                d1 = sizeof(Rows) > 3 && sizeof(Vectors) > 1 ? L.Load(u + (3 * pitch)) : d1;
                e0 = sizeof(Rows) > 4 ? L.Load(t + (4 * pitch)) : e0;
                e1 = sizeof(Rows) > 4 && sizeof(Vectors) > 1 ? L.Load(u + (4 * pitch)) : e1;
                f0 = sizeof(Rows) > 5 ? L.Load(t + (5 * pitch)) : f0;
                f1 = sizeof(Rows) > 5 && sizeof(Vectors) > 1 ? L.Load(u + (5 * pitch)) : f1;
                g0 = sizeof(Rows) > 6 ? L.Load(t + (6 * pitch)) : g0;
                g1 = sizeof(Rows) > 6 && sizeof(Vectors) > 1 ? L.Load(u + (6 * pitch)) : g1;
                h0 = sizeof(Rows) > 7 ? L.Load(t + (7 * pitch)) : h0;
                h1 = sizeof(Rows) > 7 && sizeof(Vectors) > 1 ? L.Load(u + (7 * pitch)) : h1;
                i0 = sizeof(Rows) > 8 ? L.Load(t + (8 * pitch)) : i0;
                i1 = sizeof(Rows) > 8 && sizeof(Vectors) > 1 ? L.Load(u + (8 * pitch)) : i1;
                j0 = sizeof(Rows) > 9 ? L.Load(t + (9 * pitch)) : j0;
                j1 = sizeof(Rows) > 9 && sizeof(Vectors) > 1 ? L.Load(u + (9 * pitch)) : j1;
                k0 = sizeof(Rows) > 10 ? L.Load(t + (10 * pitch)) : k0;
                k1 = sizeof(Rows) > 10 && sizeof(Vectors) > 1 ? L.Load(u + (10 * pitch)) : k1;
                l0 = sizeof(Rows) > 11 ? L.Load(t + (11 * pitch)) : l0;
                l1 = sizeof(Rows) > 11 && sizeof(Vectors) > 1 ? L.Load(u + (11 * pitch)) : l1;
            }

            int k = Depth;

            // Unrolled by four: with a busy hyper-thread sibling there are few issue slots left for loop counters. The widest tile has four times as
            // many multiply-adds in one term and needs no unrolling.
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
                    0, r, aPitch, w, x,
                    ref a0, ref b0, ref c0, ref d0, ref e0, ref f0, ref g0, ref h0, ref i0, ref j0, ref k0, ref l0,
                    ref a1, ref b1, ref c1, ref d1, ref e1, ref f1, ref g1, ref h1, ref i1, ref j1, ref k1, ref l1);
                Term<L, V, Vectors, Rows, Order>(
                    1, r, aPitch, w, x,
                    ref a0, ref b0, ref c0, ref d0, ref e0, ref f0, ref g0, ref h0, ref i0, ref j0, ref k0, ref l0,
                    ref a1, ref b1, ref c1, ref d1, ref e1, ref f1, ref g1, ref h1, ref i1, ref j1, ref k1, ref l1);
                Term<L, V, Vectors, Rows, Order>(
                    2, r, aPitch, w, x,
                    ref a0, ref b0, ref c0, ref d0, ref e0, ref f0, ref g0, ref h0, ref i0, ref j0, ref k0, ref l0,
                    ref a1, ref b1, ref c1, ref d1, ref e1, ref f1, ref g1, ref h1, ref i1, ref j1, ref k1, ref l1);
                Term<L, V, Vectors, Rows, Order>(
                    3, r, aPitch, w, x,
                    ref a0, ref b0, ref c0, ref d0, ref e0, ref f0, ref g0, ref h0, ref i0, ref j0, ref k0, ref l0,
                    ref a1, ref b1, ref c1, ref d1, ref e1, ref f1, ref g1, ref h1, ref i1, ref j1, ref k1, ref l1);
                ahead += 4 * step;
                r += 4 * Order.Step(sizeof(Rows));
                w += 4 * Width;
                x += 4 * Width;
            }

            for (; k > 0; k--)
            {
                Fetch<L, V, Vectors>(ahead, second);
                Term<L, V, Vectors, Rows, Order>(
                    0, r, aPitch, w, x,
                    ref a0, ref b0, ref c0, ref d0, ref e0, ref f0, ref g0, ref h0, ref i0, ref j0, ref k0, ref l0,
                    ref a1, ref b1, ref c1, ref d1, ref e1, ref f1, ref g1, ref h1, ref i1, ref j1, ref k1, ref l1);
                ahead += step;
                r += Order.Step(sizeof(Rows));
                w += Width;
                x += Width;
            }

            if (sizeof(Rows) > 0)
            {
                L.Store(t, a0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u, a1);
                }
            }

            if (sizeof(Rows) > 1)
            {
                L.Store(t + pitch, b0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + pitch, b1);
                }
            }

            if (sizeof(Rows) > 2)
            {
                L.Store(t + (2 * pitch), c0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + (2 * pitch), c1);
                }
            }

            if (sizeof(Rows) > 3)
            {
                L.Store(t + (3 * pitch), d0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + (3 * pitch), d1);
                }
            }

            if (sizeof(Rows) > 4)
            {
                L.Store(t + (4 * pitch), e0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + (4 * pitch), e1);
                }
            }

            if (sizeof(Rows) > 5)
            {
                L.Store(t + (5 * pitch), f0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + (5 * pitch), f1);
                }
            }

            if (sizeof(Rows) > 6)
            {
                L.Store(t + (6 * pitch), g0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + (6 * pitch), g1);
                }
            }

            if (sizeof(Rows) > 7)
            {
                L.Store(t + (7 * pitch), h0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + (7 * pitch), h1);
                }
            }

            if (sizeof(Rows) > 8)
            {
                L.Store(t + (8 * pitch), i0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + (8 * pitch), i1);
                }
            }

            if (sizeof(Rows) > 9)
            {
                L.Store(t + (9 * pitch), j0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + (9 * pitch), j1);
                }
            }

            if (sizeof(Rows) > 10)
            {
                L.Store(t + (10 * pitch), k0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + (10 * pitch), k1);
                }
            }

            if (sizeof(Rows) > 11)
            {
                L.Store(t + (11 * pitch), l0);
                if (sizeof(Vectors) > 1)
                {
                    L.Store(u + (11 * pitch), l1);
                }
            }

            r += Order.Next(Depth, aPitch, sizeof(Rows));
            t += sizeof(Rows) * pitch;
            u += sizeof(Rows) * pitch;
        }
    }

    // Adds one term of the depth to the sums of all rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Term<L, V, Vectors, Rows, Order>(
        int term, float* r, nint aPitch, float* w, float* x,
        ref V a0, ref V b0, ref V c0, ref V d0, ref V e0, ref V f0, ref V g0, ref V h0, ref V i0, ref V j0, ref V k0, ref V l0,
        ref V a1, ref V b1, ref V c1, ref V d1, ref V e1, ref V f1, ref V g1, ref V h1, ref V i1, ref V j1, ref V k1, ref V l1)
        where L : struct, ILanes<V>
        where Vectors : unmanaged, ICount
        where Rows : unmanaged, ICount
        where Order : struct, ILayoutOfA
    {
        V w0 = L.Load(w + (term * Width)), w1 = sizeof(Vectors) > 1 ? L.Load(x + (term * Width)) : w0;
        V value = L.Broadcast(Order.Entry(r, aPitch, 0, term, sizeof(Rows)));
        a0 = L.MultiplyAdd(value, w0, a0);
        a1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, a1) : a1;
        if (sizeof(Rows) > 1)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 1, term, sizeof(Rows)));
            b0 = L.MultiplyAdd(value, w0, b0);
            b1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, b1) : b1;
        }

        if (sizeof(Rows) > 2)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 2, term, sizeof(Rows)));
            c0 = L.MultiplyAdd(value, w0, c0);
            c1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, c1) : c1;
        }

        if (sizeof(Rows) > 3)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 3, term, sizeof(Rows)));
            d0 = L.MultiplyAdd(value, w0, d0);
            d1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, d1) : d1;
        }

        if (sizeof(Rows) > 4)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 4, term, sizeof(Rows)));
            e0 = L.MultiplyAdd(value, w0, e0);
            e1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, e1) : e1;
        }

        if (sizeof(Rows) > 5)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 5, term, sizeof(Rows)));
            f0 = L.MultiplyAdd(value, w0, f0);
            f1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, f1) : f1;
        }

        if (sizeof(Rows) > 6)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 6, term, sizeof(Rows)));
            g0 = L.MultiplyAdd(value, w0, g0);
            g1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, g1) : g1;
        }

        if (sizeof(Rows) > 7)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 7, term, sizeof(Rows)));
            h0 = L.MultiplyAdd(value, w0, h0);
            h1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, h1) : h1;
        }

        if (sizeof(Rows) > 8)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 8, term, sizeof(Rows)));
            i0 = L.MultiplyAdd(value, w0, i0);
            i1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, i1) : i1;
        }

        if (sizeof(Rows) > 9)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 9, term, sizeof(Rows)));
            j0 = L.MultiplyAdd(value, w0, j0);
            j1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, j1) : j1;
        }

        if (sizeof(Rows) > 10)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 10, term, sizeof(Rows)));
            k0 = L.MultiplyAdd(value, w0, k0);
            k1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, k1) : k1;
        }

        if (sizeof(Rows) > 11)
        {
            value = L.Broadcast(Order.Entry(r, aPitch, 11, term, sizeof(Rows)));
            l0 = L.MultiplyAdd(value, w0, l0);
            l1 = sizeof(Vectors) > 1 ? L.MultiplyAdd(value, w1, l1) : l1;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch<L, V, Vectors>(byte* ahead, nint second)
        where L : struct, ILanes<V>
        where Vectors : unmanaged, ICount
    {
        Prefetch.SecondLevelLine(ahead);
        if (L.Count == Width && sizeof(Vectors) > 1)
        {
            Prefetch.SecondLevelLine(ahead + second);
        }
    }

    // How A lies in memory.
    private interface ILayoutOfA
    {
        static abstract float Entry(float* r, nint pitch, int row, int term, int rows);

        static abstract int Step(int rows);

        // From the end of one tile's A to the start of the next.
        static abstract nint Next(int depth, nint pitch, int rows);
    }

    private readonly struct PackedA : ILayoutOfA
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float Entry(float* r, nint pitch, int row, int term, int rows) => r[(term * rows) + row];

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int Step(int rows) => rows;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static nint Next(int depth, nint pitch, int rows) => 0;
    }

    private readonly struct StridedA : ILayoutOfA
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float Entry(float* r, nint pitch, int row, int term, int rows) => r[(row * pitch) + term];

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int Step(int rows) => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static nint Next(int depth, nint pitch, int rows) => (rows * pitch) - depth;
    }
}
