using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Weights of single precision: a panel is [inputs, 16].</summary>
internal sealed unsafe class SinglePanels : FloatPanels
{
    public override int PanelBytes(int inputs) => inputs * Width * sizeof(float);

    public override bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output)
    {
        float* to = (float*)panel + output;
        foreach (float value in MemoryMarshal.Cast<byte, float>(row))
        {
            *to = value;
            to += Width;
        }

        return true;
    }

    public override void CopyRow(byte* panel, int output, Span<float> destination)
    {
        float* from = (float*)panel + output;
        for (int k = 0; k < destination.Length; k++, from += Width)
        {
            destination[k] = *from;
        }
    }

    public override float* Unpack(byte* panel, int first, int depth, float* scratch) => (float*)panel + ((long)first * Width);

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

    // Four vectors of outputs at a time; the last four may overlap those before.
    private static void Row<L, V>(float* x, int inputs, float* panels, int count, float* y)
        where L : struct, ILanes<V>
    {
        int last = (count * Width) - L.Count;
        for (int at = 0; at <= last; at += 4 * L.Count)
        {
            (int b, int c, int d) = (Math.Min(at + L.Count, last), Math.Min(at + (2 * L.Count), last), Math.Min(at + (3 * L.Count), last));
            Four<L, V>(x, inputs, Lane(at), Lane(b), Lane(c), Lane(d), y + at, y + b, y + c, y + d);
        }

        float* Lane(int output) => panels + ((long)(output / Width) * Width * inputs) + (output % Width);
    }

    // Four chains hide the latency of the multiply-adds.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four<L, V>(float* x, int inputs, float* a, float* b, float* c, float* d, float* ya, float* yb, float* yc, float* yd)
        where L : struct, ILanes<V>
    {
        V sa = L.Broadcast(0), sb = sa, sc = sa, sd = sa;
        for (float* end = x + inputs; x < end; x++)
        {
            V value = L.Broadcast(*x);
            sa = L.MultiplyAdd(value, L.Load(a), sa);
            sb = L.MultiplyAdd(value, L.Load(b), sb);
            sc = L.MultiplyAdd(value, L.Load(c), sc);
            sd = L.MultiplyAdd(value, L.Load(d), sd);
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
