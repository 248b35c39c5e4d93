using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Kernels;

/// <summary>What can be done with panels of one type of weights.</summary>
internal abstract unsafe class PanelKernels
{
    /// <summary>The kernels for a type.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The type holds no weights.</exception>
    public static PanelKernels For(ElementType type) => type switch
    {
        ElementType.Float32 => new PanelKernels<FloatPanel<float, SingleCode>>(),
        ElementType.Float16 => new PanelKernels<FloatPanel<ushort, HalfCode>>(),
        ElementType.BFloat16 => new PanelKernels<FloatPanel<ushort, BFloat16Code>>(),
        ElementType.Q8_0 => new PanelKernels<BlockPanel<Q8_0>>(),
        ElementType.Q4_0 => new PanelKernels<BlockPanel<Q4_0>>(),
        ElementType.Q4_1 => new PanelKernels<BlockPanel<Q4_1>>(),
        ElementType.Q5_0 => new PanelKernels<BlockPanel<Q5_0>>(),
        ElementType.Q5_1 => new PanelKernels<BlockPanel<Q5_1>>(),
        ElementType.Q2_K => new PanelKernels<BlockPanel<Q2_K>>(),
        ElementType.Q3_K => new PanelKernels<BlockPanel<Q3_K>>(),
        ElementType.Q4_K => new PanelKernels<BlockPanel<Q4_K>>(),
        ElementType.Q5_K => new PanelKernels<BlockPanel<Q5_K>>(),
        ElementType.Q6_K => new PanelKernels<BlockPanel<Q6_K>>(),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "expected a floating-point or quantised type"),
    };

    /// <summary>Bytes of one panel.</summary>
    public abstract int PanelBytes(int inputs);

    /// <summary>Puts one row into a panel; false where the format cannot hold it, as of <see cref="IPanelFormat.Pack"/>.</summary>
    public abstract bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output);

    /// <summary>Weights of neighbouring inputs as [depth, 16] floats.</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="first">The first input: a multiple of 256.</param>
    /// <param name="depth">How many inputs: a multiple of 256, or all that are left.</param>
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

/// <summary>The kernels for one format.</summary>
internal sealed unsafe class PanelKernels<F> : PanelKernels
    where F : struct, IPanelFormat
{
    private const int Width = PackedMatrix.PanelWidth;
    private const int Unit = IPanelFormat.UnitLength;

    private static int BlockBytes => F.HeadBytes + (F.BlockLength / Unit * F.UnitBytes);

    public override int PanelBytes(int inputs) => (inputs / F.BlockLength * BlockBytes) + (inputs % F.BlockLength * F.UnitBytes / Unit);

    public override bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output) => F.Pack(row, inputs, panel, output);

    public override float* Unpack(byte* panel, int first, int depth, float* scratch)
    {
        panel += first / F.BlockLength * BlockBytes;
        if (typeof(F) == typeof(FloatPanel<float, SingleCode>))
        {
            return (float*)panel;
        }

        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                Unpack<Lanes512, Vector512<float>>(panel, depth, scratch);
                break;
            case InstructionSet.Avx2:
                Unpack<Lanes256, Vector256<float>>(panel, depth, scratch);
                break;
            case InstructionSet.Vector128:
                Unpack<Lanes128, Vector128<float>>(panel, depth, scratch);
                break;
            default:
                Unpack<LanesScalar, float>(panel, depth, scratch);
                break;
        }

        return scratch;
    }

    public override void Row(float* x, int inputs, byte* panels, int count, float* y)
    {
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                Row<Lanes512, Vector512<float>>(x, inputs, panels, count, y);
                break;
            case InstructionSet.Avx2:
                Row<Lanes256, Vector256<float>>(x, inputs, panels, count, y);
                break;
            case InstructionSet.Vector128:
                Row<Lanes128, Vector128<float>>(x, inputs, panels, count, y);
                break;
            default:
                Row<LanesScalar, float>(x, inputs, panels, count, y);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unpack<L, V>(byte* panel, int depth, float* to)
        where L : struct, ILanes<V>
    {
        for (; depth >= F.BlockLength; depth -= F.BlockLength, panel += BlockBytes)
        {
            byte* unit = panel + F.HeadBytes;
            for (int group = 0; group < F.BlockLength / F.GroupLength; group++)
            {
                for (int k = 0; k < F.GroupLength; k += Unit, unit += F.UnitBytes, to += Unit * Width)
                {
                    for (int lane = 0; lane < Width; lane += L.Count)
                    {
                        V scale = F.Scale<L, V>(panel, group, lane);
                        V offset = F.Offset<L, V>(panel, group, lane, scale);
                        byte* from = unit + (lane * F.LaneBytes);
                        L.Store(to + lane, F.Weight<L, V>(from, 0, scale, offset));
                        L.Store(to + lane + Width, F.Weight<L, V>(from, 1, scale, offset));
                        L.Store(to + lane + (2 * Width), F.Weight<L, V>(from, 2, scale, offset));
                        L.Store(to + lane + (3 * Width), F.Weight<L, V>(from, 3, scale, offset));
                        L.Store(to + lane + (4 * Width), F.Weight<L, V>(from, 4, scale, offset));
                        L.Store(to + lane + (5 * Width), F.Weight<L, V>(from, 5, scale, offset));
                        L.Store(to + lane + (6 * Width), F.Weight<L, V>(from, 6, scale, offset));
                        L.Store(to + lane + (7 * Width), F.Weight<L, V>(from, 7, scale, offset));
                    }
                }
            }
        }

        for (int i = 0; i < depth; i++, to += Width)
        {
            for (int lane = 0; lane < Width; lane += L.Count)
            {
                L.Store(to + lane, F.Weight<L, V>(panel + (lane * F.LaneBytes), i, default!, default!));
            }
        }
    }

    // Four vectors of outputs at a time; the last four may overlap those before.
    private static void Row<L, V>(float* x, int inputs, byte* panels, int count, float* y)
        where L : struct, ILanes<V>
    {
        int vectors = count * Width / L.Count;
        nint bytes = F.BlockLength == Unit ? (nint)inputs * F.UnitBytes / Unit : (nint)inputs / F.BlockLength * BlockBytes;
        for (int at = 0; at < vectors; at += 4)
        {
            int last = vectors - 1;
            int v1 = Math.Min(at + 1, last), v2 = Math.Min(at + 2, last), v3 = Math.Min(at + 3, last);
            Four<L, V>(
                x,
                inputs,
                panels + (at * L.Count / Width * bytes),
                panels + (v1 * L.Count / Width * bytes),
                panels + (v2 * L.Count / Width * bytes),
                panels + (v3 * L.Count / Width * bytes),
                at * L.Count,
                v1 * L.Count,
                v2 * L.Count,
                v3 * L.Count,
                y);
        }
    }

    // Four chains hide the latency of the multiply-adds; their scales and offsets fit sixteen registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four<L, V>(
        float* x, int inputs, byte* p0, byte* p1, byte* p2, byte* p3, int to0, int to1, int to2, int to3, float* y)
        where L : struct, ILanes<V>
    {
        int lane0 = to0 % Width, lane1 = to1 % Width, lane2 = to2 % Width, lane3 = to3 % Width;
        V s0 = L.Broadcast(0), s1 = s0, s2 = s0, s3 = s0;
        int left = inputs;
        for (; left >= F.BlockLength; left -= F.BlockLength)
        {
            byte* u0 = p0 + F.HeadBytes + (lane0 * F.LaneBytes);
            byte* u1 = p1 + F.HeadBytes + (lane1 * F.LaneBytes);
            byte* u2 = p2 + F.HeadBytes + (lane2 * F.LaneBytes);
            byte* u3 = p3 + F.HeadBytes + (lane3 * F.LaneBytes);
            for (int group = 0; group < F.BlockLength / F.GroupLength; group++)
            {
                V d0 = F.Scale<L, V>(p0, group, lane0), o0 = F.Offset<L, V>(p0, group, lane0, d0);
                V d1 = F.Scale<L, V>(p1, group, lane1), o1 = F.Offset<L, V>(p1, group, lane1, d1);
                V d2 = F.Scale<L, V>(p2, group, lane2), o2 = F.Offset<L, V>(p2, group, lane2, d2);
                V d3 = F.Scale<L, V>(p3, group, lane3), o3 = F.Offset<L, V>(p3, group, lane3, d3);
                for (int k = 0; k < F.GroupLength; k += Unit)
                {
                    V value = L.Broadcast(x[0]);
                    s0 = L.MultiplyAdd(value, F.Weight<L, V>(u0, 0, d0, o0), s0);
                    s1 = L.MultiplyAdd(value, F.Weight<L, V>(u1, 0, d1, o1), s1);
                    s2 = L.MultiplyAdd(value, F.Weight<L, V>(u2, 0, d2, o2), s2);
                    s3 = L.MultiplyAdd(value, F.Weight<L, V>(u3, 0, d3, o3), s3);
                    value = L.Broadcast(x[1]);
                    s0 = L.MultiplyAdd(value, F.Weight<L, V>(u0, 1, d0, o0), s0);
                    s1 = L.MultiplyAdd(value, F.Weight<L, V>(u1, 1, d1, o1), s1);
                    s2 = L.MultiplyAdd(value, F.Weight<L, V>(u2, 1, d2, o2), s2);
                    s3 = L.MultiplyAdd(value, F.Weight<L, V>(u3, 1, d3, o3), s3);
                    value = L.Broadcast(x[2]);
                    s0 = L.MultiplyAdd(value, F.Weight<L, V>(u0, 2, d0, o0), s0);
                    s1 = L.MultiplyAdd(value, F.Weight<L, V>(u1, 2, d1, o1), s1);
                    s2 = L.MultiplyAdd(value, F.Weight<L, V>(u2, 2, d2, o2), s2);
                    s3 = L.MultiplyAdd(value, F.Weight<L, V>(u3, 2, d3, o3), s3);
                    value = L.Broadcast(x[3]);
                    s0 = L.MultiplyAdd(value, F.Weight<L, V>(u0, 3, d0, o0), s0);
                    s1 = L.MultiplyAdd(value, F.Weight<L, V>(u1, 3, d1, o1), s1);
                    s2 = L.MultiplyAdd(value, F.Weight<L, V>(u2, 3, d2, o2), s2);
                    s3 = L.MultiplyAdd(value, F.Weight<L, V>(u3, 3, d3, o3), s3);
                    value = L.Broadcast(x[4]);
                    s0 = L.MultiplyAdd(value, F.Weight<L, V>(u0, 4, d0, o0), s0);
                    s1 = L.MultiplyAdd(value, F.Weight<L, V>(u1, 4, d1, o1), s1);
                    s2 = L.MultiplyAdd(value, F.Weight<L, V>(u2, 4, d2, o2), s2);
                    s3 = L.MultiplyAdd(value, F.Weight<L, V>(u3, 4, d3, o3), s3);
                    value = L.Broadcast(x[5]);
                    s0 = L.MultiplyAdd(value, F.Weight<L, V>(u0, 5, d0, o0), s0);
                    s1 = L.MultiplyAdd(value, F.Weight<L, V>(u1, 5, d1, o1), s1);
                    s2 = L.MultiplyAdd(value, F.Weight<L, V>(u2, 5, d2, o2), s2);
                    s3 = L.MultiplyAdd(value, F.Weight<L, V>(u3, 5, d3, o3), s3);
                    value = L.Broadcast(x[6]);
                    s0 = L.MultiplyAdd(value, F.Weight<L, V>(u0, 6, d0, o0), s0);
                    s1 = L.MultiplyAdd(value, F.Weight<L, V>(u1, 6, d1, o1), s1);
                    s2 = L.MultiplyAdd(value, F.Weight<L, V>(u2, 6, d2, o2), s2);
                    s3 = L.MultiplyAdd(value, F.Weight<L, V>(u3, 6, d3, o3), s3);
                    value = L.Broadcast(x[7]);
                    s0 = L.MultiplyAdd(value, F.Weight<L, V>(u0, 7, d0, o0), s0);
                    s1 = L.MultiplyAdd(value, F.Weight<L, V>(u1, 7, d1, o1), s1);
                    s2 = L.MultiplyAdd(value, F.Weight<L, V>(u2, 7, d2, o2), s2);
                    s3 = L.MultiplyAdd(value, F.Weight<L, V>(u3, 7, d3, o3), s3);
                    x += Unit;
                    u0 += F.UnitBytes;
                    u1 += F.UnitBytes;
                    u2 += F.UnitBytes;
                    u3 += F.UnitBytes;
                }
            }

            p0 += BlockBytes;
            p1 += BlockBytes;
            p2 += BlockBytes;
            p3 += BlockBytes;
        }

        for (int i = 0; i < left; i++)
        {
            V value = L.Broadcast(x[i]);
            s0 = L.MultiplyAdd(value, F.Weight<L, V>(p0 + (lane0 * F.LaneBytes), i, default!, default!), s0);
            s1 = L.MultiplyAdd(value, F.Weight<L, V>(p1 + (lane1 * F.LaneBytes), i, default!, default!), s1);
            s2 = L.MultiplyAdd(value, F.Weight<L, V>(p2 + (lane2 * F.LaneBytes), i, default!, default!), s2);
            s3 = L.MultiplyAdd(value, F.Weight<L, V>(p3 + (lane3 * F.LaneBytes), i, default!, default!), s3);
        }

        L.Store(y + to0, s0);
        L.Store(y + to1, s1);
        L.Store(y + to2, s2);
        L.Store(y + to3, s3);
    }
}
