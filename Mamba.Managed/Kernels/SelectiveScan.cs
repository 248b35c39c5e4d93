using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Kernels;

/// <summary>The selective scan with softplus, skip term and gate fused, a vector of channels at a time; <see cref="SelectiveScanReference"/> defines it.</summary>
/// <remarks>
/// Lanes are neighbouring channels, so the recurrence needs no exchange between lanes. Time runs in tiles: the step, step times input and the
/// output of a tile stay in the first-level cache while the states pass over it four at a time, each with its state in a register. One row
/// alone, a step of generation, passes over the states of a vector of channels, as they lie in memory. A row's sum over states is one chain in
/// ascending order, so tiles and groups leave no trace in the bits.
/// </remarks>
internal readonly unsafe struct SelectiveScan
{
    private const int TileLength = 32;
    private const int TileChannels = 64;

    // Rows between reading and fetching.
    private const int Ahead = 8;

    /// <summary>[length, channels]: the input.</summary>
    public required float* U { get; init; }

    /// <summary>[length, channels]: the step before bias and softplus.</summary>
    public required float* Dt { get; init; }

    /// <summary>[channels] or null: added to the step.</summary>
    public float* Bias { get; init; }

    /// <summary>Whether the step passes through softplus.</summary>
    public bool Softplus { get; init; }

    /// <summary>[states, channels] as <see cref="ChannelPanels"/>: A log2(e), so that e^(delta A) is a power of two.</summary>
    public required float* Decay { get; init; }

    /// <summary>[channels] or null: the greatest magnitude in <see cref="Decay"/> of each, by which a single row finds its powers faster.</summary>
    public float* Fastest { get; init; }

    /// <summary>[length, states] with a pitch of <see cref="Pitch"/>.</summary>
    public required float* B { get; init; }

    /// <summary>[length, states] with a pitch of <see cref="Pitch"/>.</summary>
    public required float* C { get; init; }

    /// <summary>Distance between rows of B and of C.</summary>
    public required int Pitch { get; init; }

    /// <summary>[channels] or null: the skip term.</summary>
    public float* D { get; init; }

    /// <summary>[length, channels] with a pitch of <see cref="ZPitch"/>, or null: the gate.</summary>
    public float* Z { get; init; }

    /// <summary>Distance between rows of Z.</summary>
    public int ZPitch { get; init; }

    /// <summary>[states, channels] as <see cref="ChannelPanels"/>: h before the first row; h after the last row on return.</summary>
    public required float* State { get; init; }

    /// <summary>Null, or the state that is moved on next by a single row: asked for while this one is.</summary>
    public float* Next { get; init; }

    /// <summary>[length, channels]; may be <see cref="U"/> itself, or null where only the state is wanted.</summary>
    public required float* Y { get; init; }

    /// <summary>Rows.</summary>
    public required int Length { get; init; }

    /// <summary>Channels of all arrays.</summary>
    public required int Channels { get; init; }

    /// <summary>States of a channel.</summary>
    public required int States { get; init; }

    private ChannelPanels Panels => new(Channels, States);

    /// <summary>Runs the scan for the channels [start, end).</summary>
    public void Forward(int start, int end)
    {
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                start = Forward<Lanes512, Vector512<float>>(start, end);
                break;
            case InstructionSet.Avx2:
                start = Forward<Lanes256, Vector256<float>>(start, end);
                break;
            case InstructionSet.Vector128:
                start = Forward<Lanes128, Vector128<float>>(start, end);
                break;
            default:
                break;
        }

        Forward<LanesScalar, float>(start, end);
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

    // A tile takes a short piece of each row, too short for the processor's own prefetching.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchRow(float* row, int width)
    {
        for (int i = 0; i < width; i += Prefetch.LineBytes / sizeof(float))
        {
            Prefetch.Line(row + i);
        }
    }

    [SkipLocalsInit]
    private int Forward<L, V>(int start, int end)
        where L : struct, ILanes<V>
    {
        // Where a line begins: half of the vectors elsewhere would lie in two.
        float* room = stackalloc float[(3 * TileLength * TileChannels) + (TensorBuffer.Alignment / sizeof(float))];
        float* delta = TensorBuffer.Align(room), input = delta + (TileLength * TileChannels), sum = input + (TileLength * TileChannels);
        int c = start, width;
        for (; c + L.Count <= end; c += width)
        {
            width = Math.Min(TileChannels, (end - c) / L.Count * L.Count);
            for (int t = 0; t < Length; t += TileLength)
            {
                int rows = Math.Min(TileLength, Length - t);
                Begin<L, V>(t, rows, c, width, delta, input, sum);
                for (int i = 0; i < width; i += L.Count)
                {
                    int at = i * TileLength;
                    if (Length == 1 && Fastest is not null && IsNormal<L, V>(L.Abs(L.Load(delta + at)), L.Load(Fastest + c + i)))
                    {
                        OneRow<L, V, NormalPower>(c + i, delta + at, input + at, sum + at);
                    }
                    else if (Length == 1)
                    {
                        OneRow<L, V, AnyPower>(c + i, delta + at, input + at, sum + at);
                    }
                    else
                    {
                        AllStates<L, V>(t, rows, c + i, delta + at, input + at, sum + at);
                    }
                }

                if (Y is not null)
                {
                    Finish<L, V>(t, rows, c, width, sum);
                }
            }
        }

        return c;
    }

    // Row by row, in the order in which memory lies; the buffers hold one vector of channels after the other. Four go in step: softplus is a long chain.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Begin<L, V>(int t, int rows, int c, int width, float* delta, float* input, float* sum)
        where L : struct, ILanes<V>
    {
        for (int row = 0; row < rows; row++, delta += L.Count, input += L.Count, sum += L.Count)
        {
            long at = ((long)(t + row) * Channels) + c;
            if (Length > 1)
            {
                FetchRow(U + at + (Ahead * Channels), width);
                FetchRow(Dt + at + (Ahead * Channels), width);
            }

            int i = 0;
            for (; i + (4 * L.Count) <= width; i += 4 * L.Count)
            {
                int second = i + L.Count, third = second + L.Count, fourth = third + L.Count;
                V s0 = Step<L, V>(at + i, c + i), s1 = Step<L, V>(at + second, c + second);
                V s2 = Step<L, V>(at + third, c + third), s3 = Step<L, V>(at + fourth, c + fourth);
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
                V step = Step<L, V>(at + i, c + i);
                Enter<L, V>(Softplus ? Elementary.Softplus<L, V>(step) : step, at, c, i, delta, input, sum);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private V Step<L, V>(long at, int c)
        where L : struct, ILanes<V> => L.Add(L.Load(Dt + at), Bias is null ? L.Broadcast(0) : L.Load(Bias + c));

    // The step, step times input, and the skip term with which the sum over states begins.
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

    // The sums pass through the gate, four vectors in step as above.
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
