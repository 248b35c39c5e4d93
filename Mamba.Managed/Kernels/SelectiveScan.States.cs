using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <content>How states move on: h = e^(delta A) h + delta B u, and their part of the output, C h.</content>
internal readonly unsafe partial struct SelectiveScan
{
    // One row alone: all states of a vector of channels, as they lie in memory.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void OneRow<L, V, Power>(int c, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
        where Power : struct, IPower
    {
        bool asks = Next is not null && c % ChannelPanels.Width == 0;
        V step = L.Load(delta), x = L.Load(input), y = L.Load(sum);
        nint pitch = Panels.Pitch(c), at = (nint)Panels.Offset(c);
        float* decay = Decay + at, state = State + at;
        int n = 0;
        for (; n + 4 <= States; n += 4)
        {
            float* second = state + pitch, third = second + pitch, fourth = third + pitch;
            V h0 = L.Load(state), h1 = L.Load(second), h2 = L.Load(third), h3 = L.Load(fourth);
            Powers<L, V, Power>(step, decay, pitch, out V e0, out V e1, out V e2, out V e3);
            y = Four<L, V>(x, y, B + n, C + n, e0, e1, e2, e3, ref h0, ref h1, ref h2, ref h3);
            L.Store(state, h0);
            L.Store(second, h1);
            L.Store(third, h2);
            L.Store(fourth, h3);
            if (asks)
            {
                Fetch(Next + (state - State));
            }

            decay += 4 * pitch;
            state += 4 * pitch;
        }

        for (; n < States; n++, decay += pitch, state += pitch)
        {
            V h = L.Load(state);
            y = One<L, V>(step, x, y, B[n], C[n], L.Load(decay), ref h);
            L.Store(state, h);
        }

        L.Store(sum, y);
    }

    // What of four states is left after a step.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Powers<L, V, Power>(V step, float* decay, nint pitch, out V e0, out V e1, out V e2, out V e3)
        where L : struct, ILanes<V>
        where Power : struct, IPower
    {
        e0 = L.Multiply(step, L.Load(decay));
        e1 = L.Multiply(step, L.Load(decay + pitch));
        e2 = L.Multiply(step, L.Load(decay + (2 * pitch)));
        e3 = L.Multiply(step, L.Load(decay + (3 * pitch)));
        Power.Of<L, V>(ref e0, ref e1, ref e2, ref e3);
    }

    // Four states move on; y + their part of the sum.
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V One<L, V>(V step, V x, V y, float b, float read, V a, ref V h)
        where L : struct, ILanes<V>
    {
        h = L.MultiplyAdd(Elementary.Exp2<L, V>(L.Multiply(step, a)), h, L.Multiply(x, L.Broadcast(b)));
        return L.MultiplyAdd(h, L.Broadcast(read), y);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AllStates<L, V>(int t, int rows, int c, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
    {
        // As integers magnitudes have the same order, and NaN is above infinity.
        V longest = L.Broadcast(0);
        for (int i = 0; i < rows * L.Count; i += L.Count)
        {
            longest = L.MaxIntegers(longest, L.Abs(L.Load(delta + i)));
        }

        int n = 0;
        for (; n + 4 <= States; n += 4)
        {
            if (IsNormal<L, V>(longest, FastestOfFour<L, V>(n, c)))
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

    // The fastest decay of four states of each channel.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private V FastestOfFour<L, V>(int n, int c)
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

    // Whether no power can leave the normal numbers, which needs three operations less for each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsNormal<L, V>(V longest, V fastest)
        where L : struct, ILanes<V> =>
        L.Largest(L.Multiply(longest, fastest)) <= BitConverter.SingleToInt32Bits(Elementary.Exp2NormalLimit);

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
            // What is needed last is read last: with sixteen registers each value read too early costs a detour through memory.
            Powers<L, V, Power>(L.Load(delta + i), decay, next, out V e0, out V e1, out V e2, out V e3);
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
            V step = L.Load(delta + (i * L.Count)), x = L.Load(input + (i * L.Count)), y = L.Load(sum + (i * L.Count));
            L.Store(sum + (i * L.Count), One<L, V>(step, x, y, B[at], C[at], a, ref h));
        }

        L.Store(State + place, h);
    }

    // Four lines: four states of a whole panel.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(float* address)
    {
        Prefetch.Line(address);
        Prefetch.Line(address + ChannelPanels.Width);
        Prefetch.Line(address + (2 * ChannelPanels.Width));
        Prefetch.Line(address + (3 * ChannelPanels.Width));
    }

    // How powers of two are computed, four at a time.
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
