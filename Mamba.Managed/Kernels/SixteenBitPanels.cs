using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>How a 16-bit type is converted to single precision, up to a factor that is a power of two.</summary>
internal interface ISixteenBitCode
{
    /// <summary>The factor that completes the conversion.</summary>
    static abstract float Factor { get; }

    /// <summary>Encodes a number as panels store it.</summary>
    /// <returns>False for a number that panels cannot store.</returns>
    static abstract bool TryEncode(ushort value, out ushort code);

    /// <summary>Encodes eight numbers at once.</summary>
    /// <returns>False where one of them needs <see cref="TryEncode(ushort, out ushort)"/>: it is subnormal or cannot be stored.</returns>
    static abstract bool TryEncode(Vector128<ushort> values, out Vector128<ushort> codes);

    /// <summary>The numbers in the lower halves of all lanes.</summary>
    static abstract V Low<L, V>(V pairs)
        where L : struct, ILanes<V>;

    /// <summary>The numbers in the upper halves of all lanes.</summary>
    static abstract V High<L, V>(V pairs)
        where L : struct, ILanes<V>;
}

/// <summary>IEEE half precision, stored as <see cref="ScaledHalf"/>.</summary>
internal readonly struct Float16Code : ISixteenBitCode
{
    private const int Places = unchecked((int)0x8FFFE000);

    public static float Factor => ScaledHalf.Factor;

    public static bool TryEncode(ushort value, out ushort code) => ScaledHalf.TryScale(value, out code);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryEncode(Vector128<ushort> values, out Vector128<ushort> codes) => ScaledHalf.TryScale(values, out codes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low<L, V>(V pairs)
        where L : struct, ILanes<V> => High<L, V>(L.ShiftLeft(pairs, 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High<L, V>(V pairs)
        where L : struct, ILanes<V> => L.Mask(L.ShiftRight(pairs, 3), Places);
}

/// <summary>BFloat16: the upper half of a single-precision number.</summary>
internal readonly struct BFloat16Code : ISixteenBitCode
{
    public static float Factor => 1;

    public static bool TryEncode(ushort value, out ushort code)
    {
        code = value;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryEncode(Vector128<ushort> values, out Vector128<ushort> codes)
    {
        codes = values;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Low<L, V>(V pairs)
        where L : struct, ILanes<V> => L.ShiftLeft(pairs, 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V High<L, V>(V pairs)
        where L : struct, ILanes<V> => L.Mask(pairs, unchecked((int)0xFFFF0000));
}

/// <summary>Panels of 16-bit floating-point weights: [inputs / 2 rounded up, 16, 2], so that a 32-bit lane holds two consecutive inputs of one output.</summary>
internal sealed unsafe class SixteenBitPanels<TCode> : FloatPanels
    where TCode : struct, ISixteenBitCode
{
    private const int FetchedAhead = 1024 / sizeof(float);

    public override int PanelBytes(int inputs) => (inputs + 1) / 2 * Width * sizeof(uint);

    public override bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output)
    {
        ReadOnlySpan<ushort> values = MemoryMarshal.Cast<byte, ushort>(row);
        bool readable = true;
        uint* to = (uint*)panel + output;
        int together = Vector128<ushort>.Count;

        // No Vector128.Create and no indexer: ReadyToRun code calls them instead of inlining, and at startup those are still unoptimized.
        for (; values.Length >= together; values = values[together..], to += together / 2 * Width)
        {
            if (TCode.TryEncode(Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(values)), out Vector128<ushort> codes))
            {
                Vector128<uint> pairs = codes.AsUInt32();
                to[0] = pairs.GetElement(0);
                to[Width] = pairs.GetElement(1);
                to[2 * Width] = pairs.GetElement(2);
                to[3 * Width] = pairs.GetElement(3);
            }
            else
            {
                readable &= PackOneByOne(values[..together], to);
            }
        }

        return readable & PackOneByOne(values, to);
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
        Debug.Assert(first % 2 == 0 && panel is not null && scratch is not null, "an odd first input shares its lane with the one before");
        uint* pairs = (uint*)panel + ((long)first / 2 * Width);
        Widths.Run(new UnpackKernel((float*)pairs, depth, scratch));
        return scratch;
    }

    public override void Gemv(float* x, int inputs, byte* panels, int count, float* y)
    {
        Debug.Assert(x is not null && panels is not null && y is not null && inputs >= 0 && count >= 1, "no row or no panels");
        if (TCode.Factor == 1 || IsBelow(x, inputs, float.MaxValue / TCode.Factor))
        {
            PanelGemv.Compute(new SixteenBitGemv<RowScaled>(x, inputs, (float*)panels, y), count);
        }
        else
        {
            PanelGemv.Compute(new SixteenBitGemv<WeightsScaled>(x, inputs, (float*)panels, y), count);
        }
    }

    private static bool PackOneByOne(ReadOnlySpan<ushort> values, uint* to)
    {
        bool readable = true;
        for (int k = 0; k < values.Length; k += 2, to += Width)
        {
            readable &= TCode.TryEncode(values[k], out ushort low);
            ushort high = 0;
            readable &= k + 1 == values.Length || TCode.TryEncode(values[k + 1], out high);
            *to = low | ((uint)high << 16);
        }

        return readable;
    }

    private static ushort* At(byte* panel, int output, int k) => (ushort*)panel + (k / 2 * 2 * Width) + (2 * output) + (k % 2);

    // Whether all magnitudes are below the limit; false where an entry is NaN.
    private static bool IsBelow(float* x, int inputs, float limit)
    {
        LargestMagnitude largest = new(x);
        Widths.Run(ref largest, 0, inputs);
        return largest.Bits < BitConverter.SingleToInt32Bits(limit);
    }

    private readonly struct UnpackKernel(float* pairs, int depth, float* to) : IKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<L, V>()
            where L : struct, ILanes<V>
        {
            V factor = L.Broadcast(TCode.Factor);
            float* from = pairs, row = to;
            int remaining = depth;
            for (; remaining > 1; remaining -= 2, row += Width)
            {
                for (float* end = from + Width; from < end; from += L.Count, row += L.Count)
                {
                    V both = L.Load(from);
                    L.Store(row, L.Multiply(TCode.Low<L, V>(both), factor));
                    L.Store(row + Width, L.Multiply(TCode.High<L, V>(both), factor));
                }
            }

            for (int lane = 0; lane < remaining * Width; lane += L.Count)
            {
                L.Store(row + lane, L.Multiply(TCode.Low<L, V>(L.Load(from + lane)), factor));
            }
        }
    }

    // The bits of magnitudes, compared as integers, have the order of the magnitudes, with NaN above infinity.
    private struct LargestMagnitude(float* x) : IRangeKernel
    {
        public int Bits { get; private set; }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int Run<L, V>(int start, int end)
            where L : struct, ILanes<V>
        {
            V largest = L.Broadcast(0);
            int i = start;
            for (; i <= end - L.Count; i += L.Count)
            {
                largest = L.MaxIntegers(largest, L.Abs(L.Load(x + i)));
            }

            Bits = Math.Max(Bits, L.Largest(largest));
            return i;
        }
    }

    // Whether the activations or the weights are multiplied by the factor.
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

    // The factor is a power of two, so the bits of a product do not depend on which side is multiplied by it. Scaling the activations costs one
    // multiplication for all outputs, but is possible only where it cannot overflow.
    private readonly struct SixteenBitGemv<TScaling>(float* x, int inputs, float* panels, float* y) : IPanelGemv
        where TScaling : struct, IScaling
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Compute<L, V, Pairs>(int panel, int lane)
            where L : struct, ILanes<V>
            where Pairs : unmanaged, ICount
        {
            nint pitch = (nint)((inputs + 1) / 2) * Width, second = PanelGemv.Second<L, V>(L.Count, pitch), next = PanelGemv.Next<L, V>(pitch);
            float* a = panels + (panel * pitch) + lane, b = a + next, c = b + next, d = c + next;
            V factor = L.Broadcast(TCode.Factor);
            V a0 = L.Broadcast(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
            float* from = x, end = x + inputs;
            for (; from < end; from += 2)
            {
                // The last of an odd number of inputs shares its lane with a zero weight. Minus zero times that changes no sum, not even the sign of zero.
                V low = TScaling.Row<L, V>(L.Broadcast(from[0]), factor);
                V high = TScaling.Row<L, V>(L.Broadcast(from + 1 < end ? from[1] : -0f), factor);
                PanelGemv.Fetch<L, V>(a + FetchedAhead, a + FetchedAhead + second);
                a0 = Add<L, V>(a0, L.Load(a), low, high, factor);
                a1 = Add<L, V>(a1, L.Load(a + second), low, high, factor);
                a += Width;
                if (sizeof(Pairs) > 1)
                {
                    PanelGemv.Fetch<L, V>(b + FetchedAhead, b + FetchedAhead + second);
                    b0 = Add<L, V>(b0, L.Load(b), low, high, factor);
                    b1 = Add<L, V>(b1, L.Load(b + second), low, high, factor);
                    b += Width;
                }

                if (sizeof(Pairs) > 2)
                {
                    PanelGemv.Fetch<L, V>(c + FetchedAhead, c + FetchedAhead + second);
                    c0 = Add<L, V>(c0, L.Load(c), low, high, factor);
                    c1 = Add<L, V>(c1, L.Load(c + second), low, high, factor);
                    c += Width;
                    PanelGemv.Fetch<L, V>(d + FetchedAhead, d + FetchedAhead + second);
                    d0 = Add<L, V>(d0, L.Load(d), low, high, factor);
                    d1 = Add<L, V>(d1, L.Load(d + second), low, high, factor);
                    d += Width;
                }
            }

            PanelGemv.Store<L, V, Pairs>(y + (panel * Width) + lane, a0, a1, b0, b1, c0, c1, d0, d1);
        }

        // Adds the products of two inputs.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static V Add<L, V>(V sum, V pairs, V low, V high, V factor)
            where L : struct, ILanes<V>
        {
            sum = L.MultiplyAdd(low, TScaling.Weights<L, V>(TCode.Low<L, V>(pairs), factor), sum);
            return L.MultiplyAdd(high, TScaling.Weights<L, V>(TCode.High<L, V>(pairs), factor), sum);
        }
    }
}
