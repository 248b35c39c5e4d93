using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <content>Gemv straight from the panels. Below 8 bits, unpacking codes takes so long that one stream from memory keeps up with it.</content>
internal sealed unsafe partial class BlockFormatPanels<TFormat, TCodes>
{
    private const int HeadLength = QuantizedActivations.HeadLength;
    private const int FetchedAhead = 2048;

    public override void Gemv(int* x, int inputs, int first, int depth, byte* panels, int count, float* y)
    {
        Debug.Assert(x is not null && panels is not null && y is not null && count >= 1, "no row or no panels");
        Debug.Assert(first % blockLength == 0 && depth > 0 && depth % blockLength == 0 && first + depth <= inputs, "no whole blocks");
        nint panelBytes = PanelBytes(inputs);
        panels += PanelBytes(first);
        if (TFormat.Bits == 8)
        {
            PanelGemv.Compute(new Int8Gemv((float*)x, depth, panels, panelBytes, y), count);
            return;
        }

        Widths.Run(new GemvKernel(this, x, depth, panels, panelBytes, count, y));
    }

    // Whether a group is summed in 16-bit words. Wrap-around on the way cancels, so a sum is exact if its final value fits. Half a group's products go into
    // each word. Minus the zero point a code is at most 16 in magnitude, or 32 in groups of 16: 16 x 16 x 127 = 8 x 32 x 127 = 32512 fits. Unsigned codes of
    // 5 bits reach 31 in groups of 32, which does not.
    private static bool AddsWords
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFormat.Bits <= 4 || (TFormat.Bits < 8 && !TFormat.IsAffine);
    }

    // sum + the products of four quads.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Dot<L, V>(V sum, byte* unit, int quad, V x0, V x1, V x2, V x3)
        where L : struct, ILanes<V>
    {
        V words = L.MultiplyAddBytes(TCodes.Bytes<L, V>(unit, quad), x0);
        words = L.AddWords(words, L.MultiplyAddBytes(TCodes.Bytes<L, V>(unit, quad + 1), x1));
        words = L.AddWords(words, L.MultiplyAddBytes(TCodes.Bytes<L, V>(unit, quad + 2), x2));
        words = L.AddWords(words, L.MultiplyAddBytes(TCodes.Bytes<L, V>(unit, quad + 3), x3));
        return AddsWords ? L.AddWords(sum, words) : L.AddIntegers(sum, Widen<L, V>(words));
    }

    // The two words of each lane added to a 32-bit integer.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Widen<L, V>(V words)
        where L : struct, ILanes<V> => L.MultiplyAddWords(words, L.Broadcast(BitConverter.Int32BitsToSingle(0x00010001)));

    // Prefetches the cache lines of a unit into L1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(byte* unit)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(unit);
            Sse.Prefetch0(unit + Prefetch.LineBytes);
            if (TFormat.Bits > 2)
            {
                Sse.Prefetch0(unit + (2 * Prefetch.LineBytes));
            }

            if (TFormat.Bits > 3)
            {
                Sse.Prefetch0(unit + (3 * Prefetch.LineBytes));
            }

            if (TFormat.Bits > 4)
            {
                Sse.Prefetch0(unit + (4 * Prefetch.LineBytes));
            }

            if (TFormat.Bits > 5)
            {
                Sse.Prefetch0(unit + (5 * Prefetch.LineBytes));
            }
        }
    }

    // Two vectors of outputs at a time; if their number is odd, the last vector is computed twice.
    private void Row<L, V>(int* x, int depth, byte* panels, nint panelBytes, int count, float* y)
        where L : struct, ILanes<V>
    {
        int last = (count * Width) - L.Count;
        for (int a = 0; a <= last; a += 2 * L.Count)
        {
            int b = Math.Min(a + L.Count, last);
            Two<L, V>((float*)x, depth, panels + (a / Width * panelBytes), panels + (b / Width * panelBytes), panelBytes, a % Width, b % Width, y + a, y + b);
        }
    }

    // Not inlined: together with its caller it would exceed the JIT's inlining budget for one method.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void Two<L, V>(float* x, int depth, byte* a, byte* b, nint panelBytes, int laneA, int laneB, float* ya, float* yb)
        where L : struct, ILanes<V>
    {
        // Software prefetch, because the hardware prefetcher stops at every page. Vectors as wide as a panel use two panels and then go on to the next two;
        // narrower ones use one panel and go on within the same stream.
        nint ahead = L.Count < Width ? FetchedAhead : 2 * panelBytes, block = blockBytes, unit = unitBytes, minimum = minimaAt - scalesAt;
        V sa = L.Load(ya), sb = L.Load(yb);
        for (; depth > 0; depth -= blockLength, a += block, b += block)
        {
            V da = L.FromScaledHalf((ushort*)a + laneA), db = L.FromScaledHalf((ushort*)b + laneB);
            V ma = TFormat.IsAffine ? Negative<L, V>((ushort*)a + Width + laneA) : da, mb = TFormat.IsAffine ? Negative<L, V>((ushort*)b + Width + laneB) : db;
            byte* ga = a + scalesAt + laneA, gb = b + scalesAt + laneB, end = a + block;
            byte* ua = a + headBytes + (4 * laneA), ub = b + headBytes + (4 * laneB);
            do
            {
                Fetch(ua + ahead);
                if (L.Count == Width)
                {
                    Fetch(ub + ahead);
                }

                float* head = x;
                x += HeadLength;
                V x0 = L.Broadcast(x[0]), x1 = L.Broadcast(x[1]), x2 = L.Broadcast(x[2]), x3 = L.Broadcast(x[3]);
                V start = L.Broadcast(TFormat.Zero == 0 ? 0 : head[0]);
                V ia = Dot<L, V>(start, ua, 0, x0, x1, x2, x3), ib = Dot<L, V>(start, ub, 0, x0, x1, x2, x3);
                x += 4;
                if (TFormat.GroupLength < UnitLength)
                {
                    sa = Finish<L, V>(sa, ia, head, da, ma, ga, minimum);
                    sb = Finish<L, V>(sb, ib, head, db, mb, gb, minimum);
                    ga += Width;
                    gb += Width;
                    ia = ib = L.Broadcast(TFormat.Zero == 0 ? 0 : x[0]);
                    head = x;
                    x += HeadLength;
                }

                (x0, x1, x2, x3) = (L.Broadcast(x[0]), L.Broadcast(x[1]), L.Broadcast(x[2]), L.Broadcast(x[3]));
                ia = Dot<L, V>(ia, ua, 4, x0, x1, x2, x3);
                ib = Dot<L, V>(ib, ub, 4, x0, x1, x2, x3);
                sa = Finish<L, V>(sa, ia, head, da, ma, ga, minimum);
                sb = Finish<L, V>(sb, ib, head, db, mb, gb, minimum);
                ga += Width;
                gb += Width;
                ua += unit;
                ub += unit;
                x += 4;
            }
            while (TFormat.HasGroups && ua < end);
        }

        L.Store(ya, sa);
        L.Store(yb, sb);
    }

    private readonly struct GemvKernel(
        BlockFormatPanels<TFormat, TCodes> format, int* x, int depth, byte* panels, nint panelBytes, int count, float* y) : IKernel
    {
        public void Run<L, V>()
            where L : struct, ILanes<V> => format.Row<L, V>(x, depth, panels, panelBytes, count, y);
    }

    // Scales the integer sum of a group and adds it to the outputs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Finish<L, V>(V y, V sum, float* head, V d, V m, byte* s, nint minimum)
        where L : struct, ILanes<V>
    {
        V scale = TFormat.HasGroups ? L.Multiply(d, L.FromSigned(s)) : d;
        y = L.MultiplyAdd(L.Multiply(scale, L.Broadcast(head[1])), L.ToSingle(AddsWords ? Widen<L, V>(sum) : sum), y);
        return TFormat.IsAffine
            ? L.MultiplyAdd(TFormat.HasGroups ? L.Multiply(m, L.FromSigned(s + minimum)) : m, L.Broadcast(head[2]), y)
            : y;
    }
}
