using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>One row against neighboring panels of one type of weights.</summary>
internal interface IPanelGemv
{
    /// <summary>Computes one, two or four pairs of vectors of outputs in step.</summary>
    /// <remarks>
    /// A pair is two vectors side by side, in one panel or, where a vector is as wide as a panel, in two; the next pair is in the next panel or two.
    /// </remarks>
    /// <param name="panel">The first panel.</param>
    /// <param name="lane">The first output of it.</param>
    void Compute<L, V, Pairs>(int panel, int lane)
        where L : struct, ILanes<V>
        where Pairs : unmanaged, ICount;
}

/// <summary>The order in which a row passes over panels.</summary>
/// <remarks>
/// Four panels in step are four streams from memory, and of each the processor reads ahead by itself. Where unpacking leaves it little room to
/// run ahead, some processors still need <see cref="Fetch{L, V}"/>; then every line has to be asked for, or those asked for hide the stream.
/// </remarks>
internal static unsafe class PanelGemv
{
    private const int Width = PackedMatrix.PanelWidth;

    /// <summary>Computes all outputs of some panels.</summary>
    public static void Compute<Row>(Row row, int count)
        where Row : struct, IPanelGemv => Widths.Run(new Panels<Row>(row), 0, count);

    /// <summary>How far the second vector of a pair is from the first.</summary>
    /// <param name="vector">What a vector takes of a panel.</param>
    /// <param name="panel">From one panel to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Second<L, V>(nint vector, nint panel)
        where L : struct, ILanes<V> => L.Count < Width ? vector : panel;

    /// <summary>How far one pair is from the next.</summary>
    /// <param name="panel">From one panel to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Next<L, V>(nint panel)
        where L : struct, ILanes<V> => L.Count < Width ? panel : 2 * panel;

    /// <summary>Asks for the lines of a pair of vectors.</summary>
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

    // The range is panels. Vectors of 16 lanes take two at a time, and leave a last single one to narrower vectors.
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
