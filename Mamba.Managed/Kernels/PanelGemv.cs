using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>A gemv kernel for panels of one weight type.</summary>
internal interface IPanelGemv
{
    /// <summary>Computes one, two or four pairs of vectors of outputs, interleaved.</summary>
    /// <remarks>
    /// A pair is two adjacent vectors: of one panel, or of two panels where a vector is as wide as a panel. The next pair is one panel, or two, further on.
    /// </remarks>
    /// <param name="panel">The first panel.</param>
    /// <param name="lane">The first output within the panel.</param>
    void Compute<L, V, Pairs>(int panel, int lane)
        where L : struct, ILanes<V>
        where Pairs : unmanaged, ICount;
}

/// <summary>The loop of a gemv over its panels.</summary>
/// <remarks>
/// Four interleaved panels are four sequential streams, each of which the hardware prefetcher follows. Where unpacking leaves the core too little room to
/// run ahead, some processors still need a software prefetch, <see cref="Fetch{L, V}"/>. It must then cover every line of the stream: software
/// prefetches of only some lines hide the pattern from the hardware prefetcher.
/// </remarks>
internal static unsafe class PanelGemv
{
    private const int Width = PackedMatrix.PanelWidth;

    /// <summary>Computes all outputs of some panels.</summary>
    public static void Compute<Row>(Row row, int count)
        where Row : struct, IPanelGemv => Widths.Run(new Panels<Row>(row), 0, count);

    /// <summary>Distance from the first vector of a pair to the second.</summary>
    /// <param name="vector">Distance between two vectors of one panel.</param>
    /// <param name="panel">Distance between two panels.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Second<L, V>(nint vector, nint panel)
        where L : struct, ILanes<V> => L.Count < Width ? vector : panel;

    /// <summary>Distance from one pair to the next.</summary>
    /// <param name="panel">Distance between two panels.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Next<L, V>(nint panel)
        where L : struct, ILanes<V> => L.Count < Width ? panel : 2 * panel;

    /// <summary>Prefetches the cache lines of a pair of vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch<L, V>(void* first, void* second)
        where L : struct, ILanes<V>
    {
        Prefetch.Line(first);
        if (L.Count == Width)
        {
            Prefetch.Line(second);
        }
    }

    /// <summary>Stores pairs of vectors of outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<L, V, Pairs>(float* y, V a0, V a1, V b0, V b1, V c0, V c1, V d0, V d1)
        where L : struct, ILanes<V>
        where Pairs : unmanaged, ICount
    {
        int next = (int)Next<L, V>(Width);
        L.Store(y, a0);
        L.Store(y + L.Count, a1);
        if (sizeof(Pairs) > 1)
        {
            L.Store(y + next, b0);
            L.Store(y + next + L.Count, b1);
        }

        if (sizeof(Pairs) > 2)
        {
            L.Store(y + (2 * next), c0);
            L.Store(y + (2 * next) + L.Count, c1);
            L.Store(y + (3 * next), d0);
            L.Store(y + (3 * next) + L.Count, d1);
        }
    }

    // The range is panels. Vectors of 16 lanes take two panels at a time and leave a single last one to narrower vectors.
    private readonly struct Panels<Row>(Row row) : IRangeKernel
        where Row : struct, IPanelGemv
    {
        public int Run<L, V>(int start, int end)
            where L : struct, ILanes<V>
        {
            int panels = (int)Next<L, V>(1);
            end = start + ((end - start) / panels * panels);
            for (int lane = 0; lane < Width; lane += 2 * L.Count)
            {
                int panel = start;
                for (; panel + (4 * panels) <= end; panel += 4 * panels)
                {
                    row.Compute<L, V, Count4>(panel, lane);
                }

                for (; panel + (2 * panels) <= end; panel += 2 * panels)
                {
                    row.Compute<L, V, Count2>(panel, lane);
                }

                for (; panel < end; panel += panels)
                {
                    row.Compute<L, V, Count1>(panel, lane);
                }
            }

            return end;
        }
    }
}
