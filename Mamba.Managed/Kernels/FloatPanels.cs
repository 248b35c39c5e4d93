using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>How one floating-point type is read.</summary>
internal unsafe interface IFloatCode<T>
    where T : unmanaged
{
    static abstract bool IsReadable(T value);

    static abstract V Load<L, V>(T* source)
        where L : struct, ILanes<V>;
}

/// <summary>Single precision.</summary>
internal readonly unsafe struct SingleCode : IFloatCode<float>
{
    public static bool IsReadable(float value) => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<L, V>(float* source)
        where L : struct, ILanes<V> => L.Load(source);
}

/// <summary>Half precision, finite.</summary>
internal readonly unsafe struct HalfCode : IFloatCode<ushort>
{
    public static bool IsReadable(ushort value) => (value & 0x7C00) != 0x7C00;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<L, V>(ushort* source)
        where L : struct, ILanes<V> => L.FromHalf(source);
}

/// <summary>The upper half of single precision.</summary>
internal readonly unsafe struct BFloat16Code : IFloatCode<ushort>
{
    public static bool IsReadable(ushort value) => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<L, V>(ushort* source)
        where L : struct, ILanes<V> => L.FromBFloat16(source);
}

/// <summary>Panels of floating-point numbers, to be multiplied as single precision.</summary>
internal abstract unsafe class FloatPanels : PanelKernels
{
    /// <summary>Weights of neighbouring inputs as [depth, 16] floats.</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="first">The first input.</param>
    /// <param name="depth">How many inputs.</param>
    /// <param name="scratch">[depth, 16]; not used where the panel holds floats already.</param>
    /// <returns>Where they are.</returns>
    public abstract float* Unpack(byte* panel, int first, int depth, float* scratch);

    /// <summary>One row x against neighbouring panels: for each output one chain of multiply-adds over the inputs in ascending order.</summary>
    /// <param name="x">[inputs]</param>
    /// <param name="inputs">Inputs.</param>
    /// <param name="panels">The first panel.</param>
    /// <param name="count">Panels.</param>
    /// <param name="y">[16 count]</param>
    public abstract void Row(float* x, int inputs, byte* panels, int count, float* y);
}

/// <summary>The kernels for one type: a panel is [inputs, 16] numbers of it.</summary>
internal sealed unsafe class FloatPanels<T, TCode> : FloatPanels
    where T : unmanaged
    where TCode : struct, IFloatCode<T>
{
    public override int PanelBytes(int inputs) => inputs * Width * sizeof(T);

    public override bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output)
    {
        ReadOnlySpan<T> values = MemoryMarshal.Cast<byte, T>(row);
        T* to = (T*)panel + output;
        bool readable = true;
        for (int k = 0; k < values.Length; k++, to += Width)
        {
            *to = values[k];
            readable &= TCode.IsReadable(values[k]);
        }

        return readable;
    }

    public override void CopyRow(byte* panel, int output, Span<float> destination)
    {
        T* from = (T*)panel + output;
        for (int k = 0; k < destination.Length; k++, from += Width)
        {
            destination[k] = TCode.Load<LanesScalar, float>(from);
        }
    }

    public override float* Unpack(byte* panel, int first, int depth, float* scratch)
    {
        T* from = (T*)panel + ((long)first * Width);
        if (typeof(T) == typeof(float))
        {
            return (float*)from;
        }

        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                Unpack<Lanes512, Vector512<float>>(from, depth, scratch);
                break;
            case InstructionSet.Avx2:
                Unpack<Lanes256, Vector256<float>>(from, depth, scratch);
                break;
            case InstructionSet.Vector128:
                Unpack<Lanes128, Vector128<float>>(from, depth, scratch);
                break;
            default:
                Unpack<LanesScalar, float>(from, depth, scratch);
                break;
        }

        return scratch;
    }

    public override void Row(float* x, int inputs, byte* panels, int count, float* y)
    {
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                Row<Lanes512, Vector512<float>>(x, inputs, (T*)panels, count, y);
                break;
            case InstructionSet.Avx2:
                Row<Lanes256, Vector256<float>>(x, inputs, (T*)panels, count, y);
                break;
            case InstructionSet.Vector128:
                Row<Lanes128, Vector128<float>>(x, inputs, (T*)panels, count, y);
                break;
            default:
                Row<LanesScalar, float>(x, inputs, (T*)panels, count, y);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unpack<L, V>(T* from, int depth, float* to)
        where L : struct, ILanes<V>
    {
        for (T* end = from + ((long)depth * Width); from < end; from += L.Count, to += L.Count)
        {
            L.Store(to, TCode.Load<L, V>(from));
        }
    }

    // Four vectors of outputs at a time; the last four may overlap those before.
    private static void Row<L, V>(float* x, int inputs, T* panels, int count, float* y)
        where L : struct, ILanes<V>
    {
        int last = (count * Width) - L.Count;
        for (int at = 0; at <= last; at += 4 * L.Count)
        {
            (int b, int c, int d) = (Math.Min(at + L.Count, last), Math.Min(at + (2 * L.Count), last), Math.Min(at + (3 * L.Count), last));
            Four<L, V>(x, inputs, Lane(at), Lane(b), Lane(c), Lane(d), y + at, y + b, y + c, y + d);
        }

        T* Lane(int output) => panels + ((long)(output / Width) * Width * inputs) + (output % Width);
    }

    // Four chains hide the latency of the multiply-adds.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four<L, V>(float* x, int inputs, T* a, T* b, T* c, T* d, float* ya, float* yb, float* yc, float* yd)
        where L : struct, ILanes<V>
    {
        V sa = L.Broadcast(0), sb = sa, sc = sa, sd = sa;
        for (float* end = x + inputs; x < end; x++)
        {
            V value = L.Broadcast(*x);
            sa = L.MultiplyAdd(value, TCode.Load<L, V>(a), sa);
            sb = L.MultiplyAdd(value, TCode.Load<L, V>(b), sb);
            sc = L.MultiplyAdd(value, TCode.Load<L, V>(c), sc);
            sd = L.MultiplyAdd(value, TCode.Load<L, V>(d), sd);
            a += Width;
            b += Width;
            c += Width;
            d += Width;
        }

        L.Store(ya, sa);
        L.Store(yb, sb);
        L.Store(yc, sc);
        L.Store(yd, sd);
    }
}
