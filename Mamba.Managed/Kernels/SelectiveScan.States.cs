using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <content>The recurrence, h = e^(delta A) h + delta B u, and its part of the output, C h.</content>
internal readonly unsafe partial struct SelectiveScan
{
    // A decode step: all states of some channels, in memory order. Magnitudes are compared as integers, as in AllStates.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void OneRow<L, V>(int c, int width, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
    {
        V largest = L.Broadcast(0);
        for (int i = 0; MaxDecay is not null && i < width; i += L.Count)
        {
            largest = L.MaxIntegers(largest, L.Abs(L.Multiply(L.Load(delta + (i * TileLength)), L.Load(MaxDecay + c + i))));
        }

        if (MaxDecay is not null && IsNormal<L, V>(largest))
        {
            OneRow<L, V, NormalPower>(c, width, delta, input, sum);
        }
        else
        {
            OneRow<L, V, AnyPower>(c, width, delta, input, sum);
        }
    }

    // Vectors shorter than a cache line go in pairs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void OneRow<L, V, Power>(int c, int width, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
        where Power : struct, IPower
    {
        int i = 0, at = 0;
        for (; L.Count < ChannelPanels.Width && i + (2 * L.Count) <= width; i += 2 * L.Count, at = i * TileLength)
        {
            OneRow<L, V, Power, Count2>(c + i, delta + at, input + at, sum + at);
        }

        for (; i < width; i += L.Count, at = i * TileLength)
        {
            OneRow<L, V, Power, Count1>(c + i, delta + at, input + at, sum + at);
        }
    }

    // One vector of channels, or two of one panel. Four exponentials are interleaved: four states of one vector, or two states of both. So each cache line is
    // used up at once, and a pair has two independent sums.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void OneRow<L, V, Power, Vectors>(int c, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
        where Power : struct, IPower
        where Vectors : unmanaged, ICount
    {
        bool isPair = sizeof(Vectors) > 1, prefetches = Next is not null && c % ChannelPanels.Width == 0;
        nint pitch = Panels.Pitch(c), at = (nint)Panels.Offset(c), second = isPair ? L.Count : pitch, third = isPair ? pitch : 2 * pitch;
        nint fourth = third + second, group = 2 * third;
        int far = isPair ? TileLength * L.Count : 0, states = 4 / sizeof(Vectors), n = 0;
        V y0 = L.Load(sum), y1 = L.Load(sum + far);
        float* decay = Decay + at, state = State + at, next = Next + at, b = B, read = C;
        for (; n + states <= States; n += states, decay += group, state += group, next += group)
        {
            V e0 = L.Multiply(L.Load(delta), L.Load(decay)), e1 = L.Multiply(L.Load(delta + far), L.Load(decay + second));
            V e2 = L.Multiply(L.Load(delta), L.Load(decay + third)), e3 = L.Multiply(L.Load(delta + far), L.Load(decay + fourth));
            Power.Of<L, V>(ref e0, ref e1, ref e2, ref e3);

            // States are loaded only now: with sixteen registers, values that are loaded early are spilled.
            V w = L.Broadcast(b[n]), r = L.Broadcast(read[n]);
            y0 = Move<L, V>(state, e0, L.Load(input), w, r, y0);
            if (isPair)
            {
                y1 = Move<L, V>(state + second, e1, L.Load(input + far), w, r, y1);
                (w, r) = (L.Broadcast(b[n + 1]), L.Broadcast(read[n + 1]));
                y0 = Move<L, V>(state + third, e2, L.Load(input), w, r, y0);
                y1 = Move<L, V>(state + fourth, e3, L.Load(input + far), w, r, y1);
            }
            else
            {
                y0 = Move<L, V>(state + second, e1, L.Load(input), L.Broadcast(b[n + 1]), L.Broadcast(read[n + 1]), y0);
                y0 = Move<L, V>(state + third, e2, L.Load(input), L.Broadcast(b[n + 2]), L.Broadcast(read[n + 2]), y0);
                y0 = Move<L, V>(state + fourth, e3, L.Load(input), L.Broadcast(b[n + 3]), L.Broadcast(read[n + 3]), y0);
            }

            if (prefetches)
            {
                Prefetch.Line(next);
                Prefetch.Line(next + third);
                if (!isPair)
                {
                    Prefetch.Line(next + second);
                    Prefetch.Line(next + fourth);
                }
            }
        }

        for (; n < States; n++, decay += pitch, state += pitch)
        {
            V w = L.Broadcast(b[n]), r = L.Broadcast(read[n]);
            y0 = Move<L, V>(state, Elementary.Exp2<L, V>(L.Multiply(L.Load(delta), L.Load(decay))), L.Load(input), w, r, y0);
            if (isPair)
            {
                V e = Elementary.Exp2<L, V>(L.Multiply(L.Load(delta + far), L.Load(decay + second)));
                y1 = Move<L, V>(state + second, e, L.Load(input + far), w, r, y1);
            }
        }

        L.Store(sum, y0);
        if (isPair)
        {
            L.Store(sum + far, y1);
        }
    }

    // Updates one state; returns y + C h.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Move<L, V>(float* state, V power, V x, V b, V read, V y)
        where L : struct, ILanes<V>
    {
        V h = L.MultiplyAdd(power, L.Load(state), L.Multiply(x, b));
        L.Store(state, h);
        return L.MultiplyAdd(h, read, y);
    }

    // Updates four states; returns y + the sum of their C h.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Four<L, V>(V x, V y, float* b, float* read, V e0, V e1, V e2, V e3, ref V h0, ref V h1, ref V h2, ref V h3)
        where L : struct, ILanes<V>
    {
        h0 = L.MultiplyAdd(e0, h0, L.Multiply(x, L.Broadcast(b[0])));
        h1 = L.MultiplyAdd(e1, h1, L.Multiply(x, L.Broadcast(b[1])));
        h2 = L.MultiplyAdd(e2, h2, L.Multiply(x, L.Broadcast(b[2])));
        h3 = L.MultiplyAdd(e3, h3, L.Multiply(x, L.Broadcast(b[3])));
        y = L.MultiplyAdd(h0, L.Broadcast(read[0]), y);
        y = L.MultiplyAdd(h1, L.Broadcast(read[1]), y);
        y = L.MultiplyAdd(h2, L.Broadcast(read[2]), y);
        return L.MultiplyAdd(h3, L.Broadcast(read[3]), y);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AllStates<L, V>(int t, int rows, int c, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
    {
        // The bits of magnitudes, compared as integers, have the order of the magnitudes, with NaN above infinity.
        V longest = L.Broadcast(0);
        for (int i = 0; i < rows * L.Count; i += L.Count)
        {
            longest = L.MaxIntegers(longest, L.Abs(L.Load(delta + i)));
        }

        int n = 0;
        for (; n + 4 <= States; n += 4)
        {
            if (IsNormal<L, V>(L.Abs(L.Multiply(longest, MaxDecayOfFour<L, V>(n, c)))))
            {
                FourStates<L, V, NormalPower>(t, rows, n, c, delta, input, sum);
            }
            else
            {
                FourStates<L, V, AnyPower>(t, rows, n, c, delta, input, sum);
            }
        }

        for (; n < States; n++)
        {
            OneState<L, V>(t, rows, n, c, delta, input, sum);
        }
    }

    // max |decay| over four states of each channel.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private V MaxDecayOfFour<L, V>(int n, int c)
        where L : struct, ILanes<V>
    {
        nint next = Panels.Pitch(c);
        float* decay = Decay + Panels.Offset(c) + (n * next);
        V fastest = L.Abs(L.Load(decay));
        for (int i = 1; i < 4; i++)
        {
            fastest = L.MaxIntegers(fastest, L.Abs(L.Load(decay + (i * next))));
        }

        return fastest;
    }

    // Whether every power of two will be a normal number; then each takes three operations less.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsNormal<L, V>(V largest)
        where L : struct, ILanes<V> =>
        L.Largest(largest) <= BitConverter.SingleToInt32Bits(Elementary.Exp2NormalLimit);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FourStates<L, V, Power>(int t, int rows, int n, int c, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
        where Power : struct, IPower
    {
        nint next = Panels.Pitch(c), at = (nint)Panels.Offset(c) + (n * next);
        float* decay = Decay + at, state = State + at;
        V h0 = L.Load(state), h1 = L.Load(state + next), h2 = L.Load(state + (2 * next)), h3 = L.Load(state + (3 * next));
        float* b = B + ((long)t * Pitch) + n;
        float* read = C + ((long)t * Pitch) + n;
        nint pitch = Pitch, end = rows * L.Count;
        for (nint i = 0; i < end; i += L.Count, b += pitch, read += pitch)
        {
            // What is needed last is loaded last: with sixteen registers, values that are loaded early are spilled.
            V step = L.Load(delta + i), e0 = L.Multiply(step, L.Load(decay)), e1 = L.Multiply(step, L.Load(decay + next));
            V e2 = L.Multiply(step, L.Load(decay + (2 * next))), e3 = L.Multiply(step, L.Load(decay + (3 * next)));
            Power.Of<L, V>(ref e0, ref e1, ref e2, ref e3);
            L.Store(sum + i, Four<L, V>(L.Load(input + i), L.Load(sum + i), b, read, e0, e1, e2, e3, ref h0, ref h1, ref h2, ref h3));
        }

        L.Store(state, h0);
        L.Store(state + next, h1);
        L.Store(state + (2 * next), h2);
        L.Store(state + (3 * next), h3);
    }

    private void OneState<L, V>(int t, int rows, int n, int c, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
    {
        long place = Panels.Offset(c) + (n * Panels.Pitch(c));
        V a = L.Load(Decay + place);
        V h = L.Load(State + place);
        for (int i = 0; i < rows; i++)
        {
            long at = ((long)(t + i) * Pitch) + n;
            V power = Elementary.Exp2<L, V>(L.Multiply(L.Load(delta + (i * L.Count)), a));
            h = L.MultiplyAdd(power, h, L.Multiply(L.Load(input + (i * L.Count)), L.Broadcast(B[at])));
            L.Store(sum + (i * L.Count), L.MultiplyAdd(h, L.Broadcast(C[at]), L.Load(sum + (i * L.Count))));
        }

        L.Store(State + place, h);
    }

    // The exponential of four vectors.
    private interface IPower
    {
        static abstract void Of<L, V>(ref V x0, ref V x1, ref V x2, ref V x3)
            where L : struct, ILanes<V>;
    }

    private readonly struct AnyPower : IPower
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Of<L, V>(ref V x0, ref V x1, ref V x2, ref V x3)
            where L : struct, ILanes<V> => Elementary.Exp2<L, V>(ref x0, ref x1, ref x2, ref x3);
    }

    private readonly struct NormalPower : IPower
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Of<L, V>(ref V x0, ref V x1, ref V x2, ref V x3)
            where L : struct, ILanes<V> => Elementary.Exp2Normal<L, V>(ref x0, ref x1, ref x2, ref x3);
    }
}
