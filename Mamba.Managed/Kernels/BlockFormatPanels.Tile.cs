using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <content>Gemm: a panel is unpacked to bytes or words, which tiles of up to six rows then reuse.</content>
internal sealed unsafe partial class BlockFormatPanels<TFormat, TCodes>
{
    private const int TileRows = QuantizedGemm.TileRows;
    private const int TilePitch = 2 * Width;
    private const byte SignBit = 0x80;

    // Whether tiles use VNNI (vpdpbusd), which needs unsigned codes; only 256-bit vectors have it here. On AVX2 it pays for codes of more than 4 bits.
    // On AVX-512 vectors of 512 bits without it are faster, unless 16-bit sums would overflow.
    private static bool UsesDotAccumulate => Lanes256.HasDotAccumulate && InstructionSets.Current >= InstructionSet.Avx2
        && (InstructionSets.HasWideTile ? !AddsWords : TFormat.Bits > 4);

    private static bool TakesWords => TFormat.Bits == 8 && !UsesDotAccumulate;

    public override void Expand(byte* panel, int first, int depth, float* to)
    {
        Debug.Assert(first % blockLength == 0 && depth % blockLength == 0, "no whole blocks");
        Widths.Run(new ExpandKernel(this, panel + PanelBytes(first), depth, to));
    }

    public override void Tile(int* x, int rows, int depth, float* panels, int count, float* sums, PanelPrefetch ahead)
    {
        // The last tile of a batch often has few rows.
        Debug.Assert(rows is >= 1 and <= TileRows && count is 1 or 2 && depth > 0 && depth % TFormat.GroupLength == 0, "no tile");
        switch (rows)
        {
            case <= 2:
                Widths.Run(new TileKernel<Count2>(x, depth, panels, ExpandedLength(depth), sums, ahead), 0, count);
                break;
            case <= 4:
                Widths.Run(new TileKernel<Count4>(x, depth, panels, ExpandedLength(depth), sums, ahead), 0, count);
                break;
            default:
                Widths.Run(new TileKernel<Count6>(x, depth, panels, ExpandedLength(depth), sums, ahead), 0, count);
                break;
        }
    }

    private readonly struct ExpandKernel(BlockFormatPanels<TFormat, TCodes> format, byte* panel, int depth, float* to) : IKernel
    {
        public void Run<L, V>()
            where L : struct, ILanes<V> => format.Expand<L, V>(panel, depth, to);
    }

    // The range is panels. A tile is two vectors wide: two panels with vectors of 16 lanes, which leave a single panel to narrower vectors.
    private readonly struct TileKernel<Rows>(int* x, int depth, float* panels, int panelLength, float* sums, PanelPrefetch ahead) : IRangeKernel
        where Rows : unmanaged, ICount
    {
        public int Run<L, V>(int start, int end)
            where L : struct, ILanes<V>
        {
            if (L.Count < Width)
            {
                PanelPrefetch next = ahead;
                for (int panel = start; panel < end; panel++, next = next.Next)
                {
                    Tiles<L, V, Rows>(x, depth, panels + (panel * panelLength), sums + (panel * Width), next);
                }

                return end;
            }

            if (end - start < 2 || UsesDotAccumulate)
            {
                return start;
            }

            Tile<L, V, Rows>(x, depth, panels, panels + panelLength, sums, ahead);
            return end;
        }
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
                if (TFormat.GroupLength == UnitLength || group % 2 == 0)
                {
                    to = ExpandQuads<L, V>(unit, 0, to);
                }

                if (TFormat.GroupLength == UnitLength || group % 2 == 1)
                {
                    to = ExpandQuads<L, V>(unit, 4, to);
                    unit += unitBytes;
                }
            }
        }
    }

    // Unpacks four quads of all outputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float* ExpandQuads<L, V>(byte* unit, int quad, float* to)
        where L : struct, ILanes<V>
    {
        int rows = ExpandsToWords<L, V>() ? 2 : 1;
        for (int lane = 0; lane < Width; lane += L.Count)
        {
            byte* from = unit + (4 * lane);
            StoreCodes<L, V>(TCodes.Bytes<L, V>(from, quad), to + lane);
            StoreCodes<L, V>(TCodes.Bytes<L, V>(from, quad + 1), to + lane + (rows * Width));
            StoreCodes<L, V>(TCodes.Bytes<L, V>(from, quad + 2), to + lane + (2 * rows * Width));
            StoreCodes<L, V>(TCodes.Bytes<L, V>(from, quad + 3), to + lane + (3 * rows * Width));
        }

        return to + (4 * rows * Width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreCodes<L, V>(V codes, float* to)
        where L : struct, ILanes<V>
    {
        if (ExpandsToWords<L, V>())
        {
            L.Store(to, L.FirstTwo(codes));
            L.Store(to + Width, L.LastTwo(codes));
        }
        else
        {
            L.Store(to, TFormat.Bits == 8 ? L.FlipBytes(codes, SignBit) : codes);
        }
    }

    // The same as TakesWords, written so that the JIT sees a constant.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool ExpandsToWords<L, V>()
        where L : struct, ILanes<V> => TFormat.Bits == 8 && !(L.Count >= Lanes256.Count && Lanes256.HasDotAccumulate);

    private static void Tiles<L, V, Rows>(int* x, int depth, float* panel, float* sums, PanelPrefetch ahead)
        where L : struct, ILanes<V>
        where Rows : unmanaged, ICount
    {
        for (int at = 0; at < Width; at += 2 * L.Count)
        {
            Tile<L, V, Rows>(x, depth, panel + at, panel + at + L.Count, sums + at, at == 0 ? ahead : default);
        }
    }

    private static void Tile<L, V, Rows>(int* x, int depth, float* left, float* right, float* sums, PanelPrefetch ahead)
        where L : struct, ILanes<V>
        where Rows : unmanaged, ICount
    {
        if (AddsWords && (TFormat.Bits <= 4 || !L.HasDotAccumulate))
        {
            Sum<L, V, Rows, Int16Sums>(x, depth, left, right, sums, ahead);
        }
        else if (TFormat.Bits == 8 && !L.HasDotAccumulate)
        {
            Sum<L, V, Rows, Int16Products>(x, depth, left, right, sums, ahead);
        }
        else
        {
            Sum<L, V, Rows, Int8Products>(x, depth, left, right, sums, ahead);
        }
    }

    // Up to six rows by two vectors of outputs: twelve sums, which leave four of sixteen registers. Not inlined, for the same reason as Two.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Sum<L, V, Rows, Sums>(int* rows, int depth, float* left, float* right, float* sums, PanelPrefetch ahead)
        where L : struct, ILanes<V>
        where Rows : unmanaged, ICount
        where Sums : struct, IDotAccumulation
    {
        float* x = (float*)rows;

        // Prefetch evenly over the depth: all at once, the lines would occupy the fill buffers that the tile's own loads wait for.
        byte* line = ahead.First, due = line;
        nint share = ahead.Bytes * TFormat.GroupLength / depth, pitch = ahead.Pitch;
        for (; depth > 0; depth -= TFormat.GroupLength)
        {
            for (due += share; line < due; line += Prefetch.LineBytes)
            {
                Prefetch.SecondLevelLine(line);
                if (L.Count == Width)
                {
                    Prefetch.SecondLevelLine(line + pitch);
                }
            }

            V zero = L.Broadcast(0);
            V a0 = zero, a1 = zero, b0 = zero, b1 = zero, c0 = zero, c1 = zero, d0 = zero, d1 = zero, e0 = zero, e1 = zero, f0 = zero, f1 = zero;
            float* head = x;
            x += HeadLength * TileRows;
            float* l = left + (2 * Width);
            float* r = right + (2 * Width);

            // Unrolled by four, as in MicroKernel, unless that needs more registers than there are.
            int step = typeof(Sums) == typeof(Int8Products) && !L.HasDotAccumulate ? 1 : 4;
            for (int remaining = (typeof(Sums) == typeof(Int16Products) ? 2 : 1) * TFormat.GroupLength / 4; remaining > 0; remaining -= step)
            {
                Term<L, V, Rows, Sums>(0, l, r, x, ref a0, ref a1, ref b0, ref b1, ref c0, ref c1, ref d0, ref d1, ref e0, ref e1, ref f0, ref f1);
                if (step > 1)
                {
                    Term<L, V, Rows, Sums>(1, l, r, x, ref a0, ref a1, ref b0, ref b1, ref c0, ref c1, ref d0, ref d1, ref e0, ref e1, ref f0, ref f1);
                    Term<L, V, Rows, Sums>(2, l, r, x, ref a0, ref a1, ref b0, ref b1, ref c0, ref c1, ref d0, ref d1, ref e0, ref e1, ref f0, ref f1);
                    Term<L, V, Rows, Sums>(3, l, r, x, ref a0, ref a1, ref b0, ref b1, ref c0, ref c1, ref d0, ref d1, ref e0, ref e1, ref f0, ref f1);
                }

                x += step * TileRows;
                l += step * Width;
                r += step * Width;
            }

            Finish<L, V, Sums>(head, left, right, a0, a1, sums);
            Finish<L, V, Sums>(head + 1, left, right, b0, b1, sums + TilePitch);
            if (sizeof(Rows) > 2)
            {
                Finish<L, V, Sums>(head + 2, left, right, c0, c1, sums + (2 * TilePitch));
                Finish<L, V, Sums>(head + 3, left, right, d0, d1, sums + (3 * TilePitch));
            }

            if (sizeof(Rows) > 4)
            {
                Finish<L, V, Sums>(head + 4, left, right, e0, e1, sums + (4 * TilePitch));
                Finish<L, V, Sums>(head + 5, left, right, f0, f1, sums + (5 * TilePitch));
            }

            left = l;
            right = r;
        }
    }

    // One word of each row times two vectors of codes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Term<L, V, Rows, Sums>(
        int at, float* left, float* right, float* x,
        ref V a0, ref V a1, ref V b0, ref V b1, ref V c0, ref V c1, ref V d0, ref V d1, ref V e0, ref V e1, ref V f0, ref V f1)
        where L : struct, ILanes<V>
        where Rows : unmanaged, ICount
        where Sums : struct, IDotAccumulation
    {
        V w0 = L.Load(left + (at * Width)), w1 = L.Load(right + (at * Width));
        Sums.Add<L, V>(x[at * TileRows], w0, w1, ref a0, ref a1);
        Sums.Add<L, V>(x[(at * TileRows) + 1], w0, w1, ref b0, ref b1);
        if (sizeof(Rows) > 2)
        {
            Sums.Add<L, V>(x[(at * TileRows) + 2], w0, w1, ref c0, ref c1);
            Sums.Add<L, V>(x[(at * TileRows) + 3], w0, w1, ref d0, ref d1);
        }

        if (sizeof(Rows) > 4)
        {
            Sums.Add<L, V>(x[(at * TileRows) + 4], w0, w1, ref e0, ref e1);
            Sums.Add<L, V>(x[(at * TileRows) + 5], w0, w1, ref f0, ref f1);
        }
    }

    // The start of 32-bit sums: for signed codes it is stored as an integer, otherwise as two words.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V StartOf<L, V>(V start)
        where L : struct, ILanes<V> => TFormat.Bits == 8 ? start : Widen<L, V>(start);

    // Scales the integer sums of one row over a group and adds them to its outputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<L, V, Sums>(float* head, float* left, float* right, V sum0, V sum1, float* y)
        where L : struct, ILanes<V>
        where Sums : struct, IDotAccumulation
    {
        float* z = y + L.Count;
        if (TFormat.Zero > 0 || (TFormat.Bits == 8 && L.HasDotAccumulate))
        {
            V start = L.Broadcast(head[0]);
            (sum0, sum1) = typeof(Sums) == typeof(Int16Sums) ? (L.AddWords(sum0, start), L.AddWords(sum1, start))
                : (L.AddIntegers(sum0, StartOf<L, V>(start)), L.AddIntegers(sum1, StartOf<L, V>(start)));
        }

        if (typeof(Sums) == typeof(Int16Sums))
        {
            (sum0, sum1) = (Widen<L, V>(sum0), Widen<L, V>(sum1));
        }

        V scale = L.Broadcast(head[TileRows]);
        V y0 = L.MultiplyAdd(L.Multiply(L.Load(left), scale), L.ToSingle(sum0), L.Load(y));
        V y1 = L.MultiplyAdd(L.Multiply(L.Load(right), scale), L.ToSingle(sum1), L.Load(z));
        if (TFormat.IsAffine)
        {
            V shift = L.Broadcast(head[2 * TileRows]);
            y0 = L.MultiplyAdd(L.Load(left + Width), shift, y0);
            y1 = L.MultiplyAdd(L.Load(right + Width), shift, y1);
        }

        L.Store(y, y0);
        L.Store(z, y1);
    }
}
