using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>The innermost loop of every product of matrices: c = a b, or c += a b, for so few entries that their sums stay in registers.</summary>
/// <remarks>
/// Two vectors of columns for each row, and as many rows as the registers allow: 12 of 32 wide registers, 6 of 16. The chains hide the
/// latency of the fused multiply-add, and each entry of a serves two of them. Fewer rows have tiles of their own, which do no more than they
/// must. An entry is one chain of multiply-adds over the depth in ascending order, whatever the tile.
/// </remarks>
internal readonly unsafe partial struct MicroKernel
{
    /// <summary>Rows of the tallest tile on any machine.</summary>
    public const int MostRows = 12;

    private const int Width = PackedMatrix.PanelWidth;

    // Two vectors of each row are eight chains, as many as two units of latency 4 have under way.
    private const int FewestRows = 4;

    /// <summary>Rows of the tallest tile here.</summary>
    public static int TallestRows => InstructionSets.HasWideTile ? MostRows : MostRows / 2;

    /// <summary>How many of the tallest tiles come first. Two even ones end the rows rather than one of so few that it waits for its own sums.</summary>
    public static int WholeTiles(int rows)
    {
        int left = rows % TallestRows;
        return left is > 0 and < FewestRows && rows > TallestRows ? (rows / TallestRows) - 1 : rows / TallestRows;
    }

    /// <summary>Rows of the first tile of some rows.</summary>
    public static int FirstRows(int rows) => WholeTiles(rows) > 0 ? TallestRows : rows > TallestRows ? (rows + 1) / 2 : rows;

    /// <summary>Into how many parts rows can be cut.</summary>
    public static int Parts(int rows)
    {
        int whole = WholeTiles(rows);
        return whole * TallestRows < rows ? whole + 1 : whole;
    }

    /// <summary>One of at most <see cref="Parts"/> parts of rows, whose tiles are those of the whole.</summary>
    public static (int Start, int End) Part(int rows, int index, int count)
    {
        int parts = Parts(rows);
        (int start, int end) = new Worker(null, index, count).Range(parts);
        return (start * TallestRows, end == parts ? rows : end * TallestRows);
    }

    /// <summary>Panels of 16 columns that the widest tile covers here.</summary>
    public static int WidestPanels => InstructionSets.HasWideTile ? 2 : 1;

    /// <summary>[depth, rows]: some rows of the left side; or [rows, depth] where <see cref="APitch"/> is given.</summary>
    public required float* A { get; init; }

    /// <summary>Distance between rows of <see cref="A"/> that are read where they lie; 0 for a sliver, put in order by <see cref="GemmPacking"/>.</summary>
    public required nint APitch { get; init; }

    /// <summary>[depth, 16]: a panel of the right side.</summary>
    public required float* B { get; init; }

    /// <summary>[depth, 16]: the panel beside it, or null.</summary>
    public required float* SecondB { get; init; }

    /// <summary>Terms of each sum.</summary>
    public required int Depth { get; init; }

    /// <summary>[rows, 16 or 32] with a pitch of <see cref="CPitch"/>.</summary>
    public required float* C { get; init; }

    /// <summary>Distance between rows of <see cref="C"/>.</summary>
    public required nint CPitch { get; init; }

    /// <summary>Part of the panel that is needed next: fetched meanwhile.</summary>
    public required byte* PrefetchFrom { get; init; }

    /// <summary>Bytes from <see cref="PrefetchFrom"/> to the same part of the panel beside it.</summary>
    public required nint PrefetchPitch { get; init; }

    /// <summary>Bytes of <see cref="PrefetchFrom"/> to fetch for each term.</summary>
    public required nint PrefetchStep { get; init; }

    /// <summary>Whether the chains begin from what <see cref="C"/> holds, or from 0.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>How many tiles stand one below the other, each with the next rows of the left side and of the sums.</summary>
    public required int Count { get; init; }

    /// <summary>Computes the tiles.</summary>
    /// <param name="rows">Rows of each: 1 to <see cref="TallestRows"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(int rows)
    {
        // Not through Widths: this is called for every tile, and one vector of 512 bits is right where there is no second panel.
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512 when SecondB is null:
                Run<Lanes512, Vector512<float>, Count1>(rows, B, C, null, null);
                break;
            case InstructionSet.Avx512:
                Run<Lanes512, Vector512<float>, Count2>(rows, B, C, SecondB, C + Width);
                break;
            case InstructionSet.Avx2:
                Panel<Lanes256, Vector256<float>>(rows);
                break;
            case InstructionSet.Vector128:
                Panel<Lanes128, Vector128<float>>(rows);
                break;
            default:
                Panel<LanesScalar, float>(rows);
                break;
        }
    }

    private void Panel<L, V>(int rows)
        where L : struct, ILanes<V>
    {
        for (int at = 0; at < Width; at += 2 * L.Count)
        {
            int next = at + L.Count;
            Run<L, V, Count2>(rows, B + at, C + at, B + next, C + next);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Run<L, V, Vectors>(int rows, float* right, float* sums, float* secondB, float* secondC)
        where L : struct, ILanes<V>
        where Vectors : unmanaged, ICount
    {
        if (APitch == 0)
        {
            Run<L, V, Vectors, PackedA>(rows, right, sums, secondB, secondC);
        }
        else
        {
            Run<L, V, Vectors, StridedA>(rows, right, sums, secondB, secondC);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Run<L, V, Vectors, Order>(int rows, float* right, float* sums, float* secondB, float* secondC)
        where L : struct, ILanes<V>
        where Vectors : unmanaged, ICount
        where Order : struct, ILayoutOfA
    {
        switch (rows)
        {
            case 1:
                Sum<L, V, Vectors, Count1, Order>(right, sums, secondB, secondC);
                break;
            case 2:
                Sum<L, V, Vectors, Count2, Order>(right, sums, secondB, secondC);
                break;
            case 3:
                Sum<L, V, Vectors, Count3, Order>(right, sums, secondB, secondC);
                break;
            case 4:
                Sum<L, V, Vectors, Count4, Order>(right, sums, secondB, secondC);
                break;
            case 5:
                Sum<L, V, Vectors, Count5, Order>(right, sums, secondB, secondC);
                break;
            case 6:
                Sum<L, V, Vectors, Count6, Order>(right, sums, secondB, secondC);
                break;
            case 7:
                Sum<L, V, Vectors, Count7, Order>(right, sums, secondB, secondC);
                break;
            case 8:
                Sum<L, V, Vectors, Count8, Order>(right, sums, secondB, secondC);
                break;
            case 9:
                Sum<L, V, Vectors, Count9, Order>(right, sums, secondB, secondC);
                break;
            case 10:
                Sum<L, V, Vectors, Count10, Order>(right, sums, secondB, secondC);
                break;
            case 11:
                Sum<L, V, Vectors, Count11, Order>(right, sums, secondB, secondC);
                break;
            case 12:
                Sum<L, V, Vectors, Count12, Order>(right, sums, secondB, secondC);
                break;
        }
    }
}
