using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>How one type of 16 bits is read: as single precision, but for a factor that is a power of two.</summary>
internal interface IHalfCode
{
    /// <summary>What a number that was read must be multiplied by.</summary>
    static abstract float Factor { get; }

    /// <summary>Encodes a number as the panel holds it.</summary>
    /// <returns>False where it cannot.</returns>
    static abstract bool TryEncode(ushort value, out ushort code);

    /// <summary>The numbers in the lower halves of all lanes.</summary>
    static abstract V Low<L, V>(V pairs)
        where L : struct, ILanes<V>;

    /// <summary>The numbers in the upper halves of all lanes.</summary>
    static abstract V High<L, V>(V pairs)
        where L : struct, ILanes<V>;
}

/// <summary>Half precision, as of <see cref="ScaledHalf"/>.</summary>
internal readonly struct HalfCode : IHalfCode
{
    private const int Places = unchecked((int)0x8FFFE000);

    public static float Factor => ScaledHalf.Factor;

    public static bool TryEncode(ushort value, out ushort code) => ScaledHalf.TryScale(value, out code);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low<L, V>(V pairs)
        where L : struct, ILanes<V> => High<L, V>(L.ShiftLeft(pairs, 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High<L, V>(V pairs)
        where L : struct, ILanes<V> => L.Mask(L.ShiftRight(pairs, 3), Places);
}

/// <summary>The upper half of single precision.</summary>
internal readonly struct BFloat16Code : IHalfCode
{
    public static float Factor => 1;

    public static bool TryEncode(ushort value, out ushort code)
    {
        code = value;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low<L, V>(V pairs)
        where L : struct, ILanes<V> => L.ShiftLeft(pairs, 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High<L, V>(V pairs)
        where L : struct, ILanes<V> => L.Mask(pairs, unchecked((int)0xFFFF0000));
}

/// <summary>Weights of 16 bits: a panel is [inputs / 2 rounded up, 16, 2], so that a lane holds two neighbouring inputs of one output.</summary>
internal sealed unsafe class HalfPanels<TCode> : FloatPanels
    where TCode : struct, IHalfCode
{
    private const int FetchedAhead = 1024 / sizeof(float);

    public override int PanelBytes(int inputs) => (inputs + 1) / 2 * Width * sizeof(uint);

    public override bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output)
    {
        ReadOnlySpan<ushort> values = MemoryMarshal.Cast<byte, ushort>(row);
        bool readable = true;
        uint* to = (uint*)panel + output;
        for (int k = 0; k < values.Length - 1; k += 2, to += Width)
        {
            readable &= TCode.TryEncode(values[k], out ushort low) & TCode.TryEncode(values[k + 1], out ushort high);
            *to = low | ((uint)high << 16);
        }

        if (values.Length % 2 == 1)
        {
            readable &= TCode.TryEncode(values[^1], out ushort last);
            *to = last;
        }

        return readable;
    }

    public override void CopyRow(byte* panel, int output, Span<float> destination)
    {
        for (int k = 0; k < destination.Length; k++)
        {
            destination[k] = TCode.Low<LanesScalar, float>(BitConverter.Int32BitsToSingle(*At(panel, output, k))) * TCode.Factor;
        }
    }

    public override float* Unpack(byte* panel, int first, int depth, float* scratch)
    {
        uint* pairs = (uint*)panel + ((long)first / 2 * Width);
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                Unpack<Lanes512, Vector512<float>>((float*)pairs, depth, scratch);
                break;
            case InstructionSet.Avx2:
                Unpack<Lanes256, Vector256<float>>((float*)pairs, depth, scratch);
                break;
            case InstructionSet.Vector128:
                Unpack<Lanes128, Vector128<float>>((float*)pairs, depth, scratch);
                break;
            default:
                Unpack<LanesScalar, float>((float*)pairs, depth, scratch);
                break;
        }

        return scratch;
    }

    public override void Row(float* x, int inputs, byte* panels, int count, float* y)
    {
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                Row<Lanes512, Vector512<float>>(x, inputs, (float*)panels, count, y);
                break;
            case InstructionSet.Avx2:
                Row<Lanes256, Vector256<float>>(x, inputs, (float*)panels, count, y);
                break;
            case InstructionSet.Vector128:
                Row<Lanes128, Vector128<float>>(x, inputs, (float*)panels, count, y);
                break;
            default:
                Row<LanesScalar, float>(x, inputs, (float*)panels, count, y);
                break;
        }
    }

    private static ushort* At(byte* panel, int output, int k) => (ushort*)panel + (k / 2 * 2 * Width) + (2 * output) + (k % 2);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unpack<L, V>(float* pairs, int depth, float* to)
        where L : struct, ILanes<V>
    {
        V factor = L.Broadcast(TCode.Factor);
        for (; depth > 1; depth -= 2, to += Width)
        {
            for (float* end = pairs + Width; pairs < end; pairs += L.Count, to += L.Count)
            {
                V both = L.Load(pairs);
                L.Store(to, L.Multiply(TCode.Low<L, V>(both), factor));
                L.Store(to + Width, L.Multiply(TCode.High<L, V>(both), factor));
            }
        }

        for (int lane = 0; lane < depth * Width; lane += L.Count)
        {
            L.Store(to + lane, L.Multiply(TCode.Low<L, V>(L.Load(pairs + lane)), factor));
        }
    }

    // Four vectors of outputs at a time; the last four may overlap those before.
    private static void Row<L, V>(float* x, int inputs, float* panels, int count, float* y)
        where L : struct, ILanes<V>
    {
        bool scalesRow = TCode.Factor == 1 || IsBelow<L, V>(x, inputs, float.MaxValue / TCode.Factor);
        int last = (count * Width) - L.Count;
        for (int at = 0; at <= last; at += 4 * L.Count)
        {
            (int b, int c, int d) = (Math.Min(at + L.Count, last), Math.Min(at + (2 * L.Count), last), Math.Min(at + (3 * L.Count), last));
            if (scalesRow)
            {
                Four<L, V, RowScaled>(x, inputs, Lane(at), Lane(b), Lane(c), Lane(d), y + at, y + b, y + c, y + d);
            }
            else
            {
                Four<L, V, WeightsScaled>(x, inputs, Lane(at), Lane(b), Lane(c), Lane(d), y + at, y + b, y + c, y + d);
            }
        }

        float* Lane(int output) => panels + ((long)(output / Width) * Width * ((inputs + 1) / 2)) + (output % Width);
    }

    // False where an entry is NaN.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool IsBelow<L, V>(float* x, int inputs, float limit)
        where L : struct, ILanes<V>
    {
        // As integers magnitudes have the same order, and NaN is above infinity.
        V largest = L.Broadcast(0);
        int k = 0;
        for (; k <= inputs - L.Count; k += L.Count)
        {
            largest = L.MaxIntegers(largest, L.Abs(L.Load(x + k)));
        }

        int most = L.Largest(largest);
        for (; k < inputs; k++)
        {
            most = Math.Max(most, BitConverter.SingleToInt32Bits(Math.Abs(x[k])));
        }

        return most < BitConverter.SingleToInt32Bits(limit);
    }

    // Four chains hide the latency of the multiply-adds. Which side of a product takes the factor does not change its bits, but only the row's
    // side takes it once for all outputs; there it must not overflow.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Four<L, V, TScaling>(float* x, int inputs, float* a, float* b, float* c, float* d, float* ya, float* yb, float* yc, float* yd)
        where L : struct, ILanes<V>
        where TScaling : struct, IScaling
    {
        V factor = L.Broadcast(TCode.Factor);
        V sa = L.Broadcast(0), sb = sa, sc = sa, sd = sa;
        for (float* end = x + (inputs & ~1); x < end; x += 2)
        {
            Fetch<L, V>(a, b);
            Fetch<L, V>(c, d);
            V first = TScaling.Row<L, V>(L.Broadcast(x[0]), factor), second = TScaling.Row<L, V>(L.Broadcast(x[1]), factor);
            V pa = L.Load(a), pb = L.Load(b), pc = L.Load(c), pd = L.Load(d);
            sa = L.MultiplyAdd(first, TScaling.Weights<L, V>(TCode.Low<L, V>(pa), factor), sa);
            sb = L.MultiplyAdd(first, TScaling.Weights<L, V>(TCode.Low<L, V>(pb), factor), sb);
            sc = L.MultiplyAdd(first, TScaling.Weights<L, V>(TCode.Low<L, V>(pc), factor), sc);
            sd = L.MultiplyAdd(first, TScaling.Weights<L, V>(TCode.Low<L, V>(pd), factor), sd);
            sa = L.MultiplyAdd(second, TScaling.Weights<L, V>(TCode.High<L, V>(pa), factor), sa);
            sb = L.MultiplyAdd(second, TScaling.Weights<L, V>(TCode.High<L, V>(pb), factor), sb);
            sc = L.MultiplyAdd(second, TScaling.Weights<L, V>(TCode.High<L, V>(pc), factor), sc);
            sd = L.MultiplyAdd(second, TScaling.Weights<L, V>(TCode.High<L, V>(pd), factor), sd);
            a += Width;
            b += Width;
            c += Width;
            d += Width;
        }

        if (inputs % 2 == 1)
        {
            V value = TScaling.Row<L, V>(L.Broadcast(x[0]), factor);
            sa = L.MultiplyAdd(value, TScaling.Weights<L, V>(TCode.Low<L, V>(L.Load(a)), factor), sa);
            sb = L.MultiplyAdd(value, TScaling.Weights<L, V>(TCode.Low<L, V>(L.Load(b)), factor), sb);
            sc = L.MultiplyAdd(value, TScaling.Weights<L, V>(TCode.Low<L, V>(L.Load(c)), factor), sc);
            sd = L.MultiplyAdd(value, TScaling.Weights<L, V>(TCode.Low<L, V>(L.Load(d)), factor), sd);
        }

        L.Store(ya, sa);
        L.Store(yb, sb);
        L.Store(yc, sc);
        L.Store(yd, sd);
    }

    // Unpacking leaves the processor less room than a plain sum to run ahead to the next reads by itself.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch<L, V>(float* first, float* second)
        where L : struct, ILanes<V>
    {
        Prefetch.Line(first + FetchedAhead);
        if (L.Count == Width)
        {
            Prefetch.Line(second + FetchedAhead);
        }
    }

    // Which side takes the factor.
    private interface IScaling
    {
        static abstract V Row<L, V>(V value, V factor)
            where L : struct, ILanes<V>;

        static abstract V Weights<L, V>(V value, V factor)
            where L : struct, ILanes<V>;
    }

    private readonly struct RowScaled : IScaling
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Row<L, V>(V value, V factor)
            where L : struct, ILanes<V> => TCode.Factor == 1 ? value : L.Multiply(value, factor);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Weights<L, V>(V value, V factor)
            where L : struct, ILanes<V> => value;
    }

    private readonly struct WeightsScaled : IScaling
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Row<L, V>(V value, V factor)
            where L : struct, ILanes<V> => value;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Weights<L, V>(V value, V factor)
            where L : struct, ILanes<V> => L.Multiply(value, factor);
    }
}
