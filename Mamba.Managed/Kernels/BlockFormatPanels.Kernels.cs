using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <content>The products: one row straight from the panels, several through expanded panels and a tile.</content>
internal sealed unsafe partial class BlockFormatPanels<TFormat, TCodes>
{
    private const int TileRows = IntegerProduct.TileRows;
    private const int TilePitch = 2 * Width;

    public override void Row(int* x, int inputs, int first, int depth, byte* panels, int count, float* y)
    {
        nint panelBytes = PanelBytes(inputs);
        panels += PanelBytes(first);
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                Row<Lanes512, Vector512<float>>(x, depth, panels, panelBytes, count, y);
                break;
            case InstructionSet.Avx2:
                Row<Lanes256, Vector256<float>>(x, depth, panels, panelBytes, count, y);
                break;
            case InstructionSet.Vector128:
                Row<Lanes128, Vector128<float>>(x, depth, panels, panelBytes, count, y);
                break;
            default:
                Row<LanesScalar, float>(x, depth, panels, panelBytes, count, y);
                break;
        }
    }

    public override void Expand(byte* panel, int first, int depth, float* to)
    {
        panel += PanelBytes(first);
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                Expand<Lanes512, Vector512<float>>(panel, depth, to);
                break;
            case InstructionSet.Avx2:
                Expand<Lanes256, Vector256<float>>(panel, depth, to);
                break;
            case InstructionSet.Vector128:
                Expand<Lanes128, Vector128<float>>(panel, depth, to);
                break;
            default:
                Expand<LanesScalar, float>(panel, depth, to);
                break;
        }
    }

    public override void Tile(int* x, int depth, float* panels, int count, float* sums)
    {
        // Two vectors of 16 lanes are two panels; one panel alone takes narrower ones.
        if (InstructionSets.Current == InstructionSet.Avx512 && count == 2)
        {
            Tile<Lanes512, Vector512<float>>(x, depth, panels, panels + ExpandedLength(depth), sums);
            return;
        }

        for (int i = 0; i < count; i++, panels += ExpandedLength(depth), sums += Width)
        {
            switch (InstructionSets.Current)
            {
                case InstructionSet.Avx512 or InstructionSet.Avx2:
                    Tiles<Lanes256, Vector256<float>>(x, depth, panels, sums);
                    break;
                case InstructionSet.Vector128:
                    Tiles<Lanes128, Vector128<float>>(x, depth, panels, sums);
                    break;
                default:
                    Tiles<LanesScalar, float>(x, depth, panels, sums);
                    break;
            }
        }
    }

    // sum + the products of 16 inputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Dot<L, V>(V sum, byte* unit, float* x)
        where L : struct, ILanes<V>
    {
        sum = L.AddIntegers(sum, L.MultiplyAddWords(TCodes.Words<L, V>(unit, 0), L.Broadcast(x[0])));
        sum = L.AddIntegers(sum, L.MultiplyAddWords(TCodes.Words<L, V>(unit, 1), L.Broadcast(x[1])));
        sum = L.AddIntegers(sum, L.MultiplyAddWords(TCodes.Words<L, V>(unit, 2), L.Broadcast(x[2])));
        sum = L.AddIntegers(sum, L.MultiplyAddWords(TCodes.Words<L, V>(unit, 3), L.Broadcast(x[3])));
        sum = L.AddIntegers(sum, L.MultiplyAddWords(TCodes.Words<L, V>(unit, 4), L.Broadcast(x[4])));
        sum = L.AddIntegers(sum, L.MultiplyAddWords(TCodes.Words<L, V>(unit, 5), L.Broadcast(x[5])));
        sum = L.AddIntegers(sum, L.MultiplyAddWords(TCodes.Words<L, V>(unit, 6), L.Broadcast(x[6])));
        return L.AddIntegers(sum, L.MultiplyAddWords(TCodes.Words<L, V>(unit, 7), L.Broadcast(x[7])));
    }

    // The lines of a unit, into the first-level cache.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(byte* unit)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(unit);
            if (TFormat.Bits > 2)
            {
                Sse.Prefetch0(unit + Prefetch.LineBytes);
            }

            if (TFormat.Bits > 4)
            {
                Sse.Prefetch0(unit + (2 * Prefetch.LineBytes));
            }

            if (TFormat.Bits > 6)
            {
                Sse.Prefetch0(unit + (3 * Prefetch.LineBytes));
            }
        }
    }

    // Two vectors of outputs at a time; the last two may be the same.
    private void Row<L, V>(int* x, int depth, byte* panels, nint panelBytes, int count, float* y)
        where L : struct, ILanes<V>
    {
        int last = (count * Width) - L.Count;
        for (int a = 0; a <= last; a += 2 * L.Count)
        {
            int b = Math.Min(a + L.Count, last);
            Two<L, V>((float*)x, depth, panels + (a / Width * panelBytes), panels + (b / Width * panelBytes), a % Width, b % Width, y + a, y + b);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Two<L, V>(float* x, int depth, byte* a, byte* b, int laneA, int laneB, float* ya, float* yb)
        where L : struct, ILanes<V>
    {
        // The processor's own prefetching stops at every page and starts anew with every panel.
        nint ahead = 2 * (nint)(b - a);
        int unit = unitBytes, block = blockBytes;
        V sa = L.Load(ya), sb = L.Load(yb);
        for (; depth > 0; depth -= blockLength, a += block, b += block)
        {
            byte* ua = a + headBytes + (2 * laneA), ub = b + headBytes + (2 * laneB);
            int group = scalesAt;
            do
            {
                V ia = L.Broadcast(x[0]), ib = ia, scale = L.Broadcast(x[1]), shift = L.Broadcast(x[2]);
                x += QuantisedRows.HeadLength;
                for (int k = 0; k < TFormat.GroupLength; k += UnitLength)
                {
                    Fetch(ua + ahead);
                    Fetch(ub + ahead);
                    ia = Dot<L, V>(ia, ua, x);
                    ib = Dot<L, V>(ib, ub, x);
                    x += UnitLength / 2;
                    ua += unit;
                    ub += unit;
                }

                sa = L.MultiplyAdd(L.Multiply(Scale<L, V>(a + (2 * laneA), a + group + laneA), scale), L.ToSingle(ia), sa);
                sb = L.MultiplyAdd(L.Multiply(Scale<L, V>(b + (2 * laneB), b + group + laneB), scale), L.ToSingle(ib), sb);
                if (TFormat.IsAffine)
                {
                    int minimum = minimaAt - scalesAt + group;
                    sa = L.MultiplyAdd(Minimum<L, V>(a + (2 * (Width + laneA)), a + minimum + laneA), shift, sa);
                    sb = L.MultiplyAdd(Minimum<L, V>(b + (2 * (Width + laneB)), b + minimum + laneB), shift, sb);
                }

                group += Width;
            }
            while (group < minimaAt);
        }

        L.Store(ya, sa);
        L.Store(yb, sb);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Expand<L, V>(byte* panel, int depth, float* to)
        where L : struct, ILanes<V>
    {
        for (; depth > 0; depth -= blockLength, panel += blockBytes)
        {
            byte* unit = panel + headBytes;
            for (int group = 0; group < groups; group++)
            {
                for (int lane = 0; lane < Width; lane += L.Count)
                {
                    int at = (group * Width) + lane;
                    L.Store(to + lane, Scale<L, V>(panel + (2 * lane), panel + scalesAt + at));
                    L.Store(
                        to + Width + lane,
                        TFormat.IsAffine ? Minimum<L, V>(panel + (2 * (Width + lane)), panel + minimaAt + at) : L.Broadcast(0));
                }

                to += 2 * Width;
                for (int k = 0; k < TFormat.GroupLength; k += UnitLength, unit += unitBytes, to += UnitLength / 2 * Width)
                {
                    for (int lane = 0; lane < Width; lane += L.Count)
                    {
                        byte* from = unit + (2 * lane);
                        L.Store(to + lane, TCodes.Words<L, V>(from, 0));
                        L.Store(to + lane + Width, TCodes.Words<L, V>(from, 1));
                        L.Store(to + lane + (2 * Width), TCodes.Words<L, V>(from, 2));
                        L.Store(to + lane + (3 * Width), TCodes.Words<L, V>(from, 3));
                        L.Store(to + lane + (4 * Width), TCodes.Words<L, V>(from, 4));
                        L.Store(to + lane + (5 * Width), TCodes.Words<L, V>(from, 5));
                        L.Store(to + lane + (6 * Width), TCodes.Words<L, V>(from, 6));
                        L.Store(to + lane + (7 * Width), TCodes.Words<L, V>(from, 7));
                    }
                }
            }
        }
    }

    private static void Tiles<L, V>(int* x, int depth, float* panel, float* sums)
        where L : struct, ILanes<V>
    {
        for (int at = 0; at < Width; at += 2 * L.Count)
        {
            Tile<L, V>(x, depth, panel + at, panel + at + L.Count, sums + at);
        }
    }

    // Six rows, two vectors of outputs: twelve sums, few enough for sixteen registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<L, V>(int* rows, int depth, float* left, float* right, float* sums)
        where L : struct, ILanes<V>
    {
        float* x = (float*)rows;
        for (; depth > 0; depth -= TFormat.GroupLength)
        {
            V a0 = L.Broadcast(x[0]), a1 = a0, b0 = L.Broadcast(x[1]), b1 = b0, c0 = L.Broadcast(x[2]), c1 = c0;
            V d0 = L.Broadcast(x[3]), d1 = d0, e0 = L.Broadcast(x[4]), e1 = e0, f0 = L.Broadcast(x[5]), f1 = f0;
            float* head = x + TileRows;
            x += QuantisedRows.HeadLength * TileRows;
            float* l = left + (2 * Width);
            float* r = right + (2 * Width);
            for (int pairs = TFormat.GroupLength / 2; pairs > 0; pairs--)
            {
                V w0 = L.Load(l), w1 = L.Load(r);
                V value = L.Broadcast(x[0]);
                a0 = L.AddIntegers(a0, L.MultiplyAddWords(value, w0));
                a1 = L.AddIntegers(a1, L.MultiplyAddWords(value, w1));
                value = L.Broadcast(x[1]);
                b0 = L.AddIntegers(b0, L.MultiplyAddWords(value, w0));
                b1 = L.AddIntegers(b1, L.MultiplyAddWords(value, w1));
                value = L.Broadcast(x[2]);
                c0 = L.AddIntegers(c0, L.MultiplyAddWords(value, w0));
                c1 = L.AddIntegers(c1, L.MultiplyAddWords(value, w1));
                value = L.Broadcast(x[3]);
                d0 = L.AddIntegers(d0, L.MultiplyAddWords(value, w0));
                d1 = L.AddIntegers(d1, L.MultiplyAddWords(value, w1));
                value = L.Broadcast(x[4]);
                e0 = L.AddIntegers(e0, L.MultiplyAddWords(value, w0));
                e1 = L.AddIntegers(e1, L.MultiplyAddWords(value, w1));
                value = L.Broadcast(x[5]);
                f0 = L.AddIntegers(f0, L.MultiplyAddWords(value, w0));
                f1 = L.AddIntegers(f1, L.MultiplyAddWords(value, w1));
                x += TileRows;
                l += Width;
                r += Width;
            }

            Finish<L, V>(head, left, right, a0, a1, sums);
            Finish<L, V>(head + 1, left, right, b0, b1, sums + TilePitch);
            Finish<L, V>(head + 2, left, right, c0, c1, sums + (2 * TilePitch));
            Finish<L, V>(head + 3, left, right, d0, d1, sums + (3 * TilePitch));
            Finish<L, V>(head + 4, left, right, e0, e1, sums + (4 * TilePitch));
            Finish<L, V>(head + 5, left, right, f0, f1, sums + (5 * TilePitch));
            left = l;
            right = r;
        }
    }

    // The sums of one row over a group join its outputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<L, V>(float* head, float* left, float* right, V sum0, V sum1, float* y)
        where L : struct, ILanes<V>
    {
        float* z = y + L.Count;
        V scale = L.Broadcast(head[0]);
        V y0 = L.MultiplyAdd(L.Multiply(L.Load(left), scale), L.ToSingle(sum0), L.Load(y));
        V y1 = L.MultiplyAdd(L.Multiply(L.Load(right), scale), L.ToSingle(sum1), L.Load(z));
        if (TFormat.IsAffine)
        {
            V shift = L.Broadcast(head[TileRows]);
            y0 = L.MultiplyAdd(L.Load(left + Width), shift, y0);
            y1 = L.MultiplyAdd(L.Load(right + Width), shift, y1);
        }

        L.Store(y, y0);
        L.Store(z, y1);
    }
}
