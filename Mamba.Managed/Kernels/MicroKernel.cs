using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>The gemm micro-kernel: c = a b, or c += a b, for a tile of c whose sums stay in registers.</summary>
/// <remarks>
/// A tile is two vectors wide and as high as the registers allow: 12 rows with 32 registers, 6 with 16. Its independent sums hide the latency of the
/// fused multiply-add, and each broadcast entry of a is used twice. Each smaller number of rows has a kernel of its own, so that none computes rows
/// that are not there. Every entry is one chain of multiply-adds over the depth in ascending order, whatever the tile.
/// </remarks>
internal readonly unsafe partial struct MicroKernel
{
    /// <summary>Rows of the tallest tile on any machine.</summary>
    public const int MostRows = 12;

    private const int Width = PackedMatrix.PanelWidth;

    // Four rows of two vectors are eight independent sums, as many as two FMA units with a latency of 4 cycles can keep in flight.
    private const int FewestRows = 4;

    /// <summary>Rows of the tallest tile on this machine.</summary>
    public static int TallestRows => InstructionSets.HasWideTile ? MostRows : MostRows / 2;

    /// <summary>How many of the tallest tiles come first.</summary>
    /// <remarks>A last tile with too few rows could not hide the FMA latency; then the last two tiles share their rows evenly.</remarks>
    public static int WholeTiles(int rows)
    {
        int left = rows % TallestRows;
        return left is > 0 and < FewestRows && rows > TallestRows ? (rows / TallestRows) - 1 : rows / TallestRows;
    }

    /// <summary>Rows of the first tile when <paramref name="rows"/> rows are left.</summary>
    public static int FirstRows(int rows) => WholeTiles(rows) > 0 ? TallestRows : rows > TallestRows ? (rows + 1) / 2 : rows;

    /// <summary>Into how many parts the rows can be split without changing their tiles.</summary>
    public static int Parts(int rows)
    {
        int whole = WholeTiles(rows);
        return whole * TallestRows < rows ? whole + 1 : whole;
    }

    /// <summary>Part <paramref name="index"/> of <paramref name="count"/>, at most <see cref="Parts"/>; its tiles are those of the whole.</summary>
    public static (int Start, int End) Part(int rows, int index, int count)
    {
        int parts = Parts(rows);
        (int start, int end) = new Worker(null, index, count).Range(parts);
        return (start * TallestRows, end == parts ? rows : end * TallestRows);
    }

    /// <summary>Panels of 16 columns that the widest tile covers on this machine.</summary>
    public static int WidestPanels => InstructionSets.HasWideTile ? 2 : 1;

    /// <summary>Packed A, [depth, rows]; or strided A, [rows, depth], where <see cref="APitch"/> is not 0.</summary>
    public required float* A { get; init; }

    /// <summary>Distance between rows of strided A; 0 for A packed by <see cref="GemmPacking"/>.</summary>
    public required nint APitch { get; init; }

    /// <summary>[depth, 16]: a panel of B.</summary>
    public required float* B { get; init; }

    /// <summary>[depth, 16]: the next panel of B, or null.</summary>
    public required float* SecondB { get; init; }

    /// <summary>Terms of each sum.</summary>
    public required int Depth { get; init; }

    /// <summary>[rows, 16 or 32] with a pitch of <see cref="CPitch"/>.</summary>
    public required float* C { get; init; }

    /// <summary>Distance between rows of <see cref="C"/>.</summary>
    public required nint CPitch { get; init; }

    /// <summary>The part of the next panel to prefetch meanwhile.</summary>
    public required byte* PrefetchFrom { get; init; }

    /// <summary>Bytes from <see cref="PrefetchFrom"/> to the same part of the panel after it.</summary>
    public required nint PrefetchPitch { get; init; }

    /// <summary>Bytes by which the prefetch moves on with each term of the sums.</summary>
    public required nint PrefetchStep { get; init; }

    /// <summary>Whether the chains begin from what <see cref="C"/> holds, or from 0.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>How many tiles to compute, one below the other, each with the next rows of A and C.</summary>
    public required int Count { get; init; }

    /// <summary>Computes the tiles.</summary>
    /// <param name="rows">Rows of each: 1 to <see cref="TallestRows"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(int rows)
    {
        Debug.Assert(A is not null && B is not null && C is not null && PrefetchFrom is not null, "no matrix");
        Debug.Assert(rows >= 1 && rows <= TallestRows && Count >= 1 && Depth >= 1, "no tile");
        Debug.Assert(SecondB is null || WidestPanels == 2, "a tile that is too wide");
        Debug.Assert(rows * Count == 1 || CPitch >= (SecondB is null ? Width : 2 * Width), "rows of C that overlap");
        // Not through Widths: how many vectors a tile has depends on both the width and the number of panels.
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
