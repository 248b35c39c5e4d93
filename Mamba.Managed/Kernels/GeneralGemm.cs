using System.Diagnostics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>General gemm, c = a b or c += a b, for matrices of any strides: the three products of training a linear layer.</summary>
/// <remarks>
/// With x [rows, inputs], W [outputs, inputs] and upstream gradient dy [rows, outputs]:
/// <code>
/// y = x W^T        dx = dy W        dW += dy^T x
/// </code>
/// Every entry of c is one chain of fused multiply-adds over the depth in ascending order, begun from 0 or from what c holds. So the bits do not
/// depend on tiles, blocks or threads; a forward product has the bits of <see cref="MatrixProduct"/>; and the gradients of two calls add up to the
/// bits of one call over all rows. Blocks of a and b are packed for the micro-kernel as they are needed, so weights need no second copy in memory.
/// </remarks>
internal static unsafe class GeneralGemm
{
    // The block of the depth (kc). Long: spilling partial sums of c between blocks costs more than reading b from the L2 cache.
    private const int DepthBlock = 1024;

    // Entries of a packed block of a: half of an L2 cache of 512 kB.
    private const int LeftBlock = 1 << 16;

    // Workers split the rows at multiples of this: a third of the tallest micro-kernel, so that their shares are even.
    private const int RowGrain = 4;

    // Entries of a packed block of b: 2 MB, each worker's part of an L3 cache.
    private const int RightBlock = 1 << 19;

    private const int Width = PackedMatrix.PanelWidth;

    /// <summary>Scratch memory for packed blocks.</summary>
    public static GemmScratch CreateScratch(int workers) => new(workers, LeftBlock + RightBlock);

    /// <summary>Computes this worker's share; a barrier must follow before c is read.</summary>
    /// <param name="worker">The calling worker.</param>
    /// <param name="scratch">From <see cref="CreateScratch"/>, shared by all workers.</param>
    /// <param name="a">[m, k]</param>
    /// <param name="b">[k, n]</param>
    /// <param name="c">[m, n] with contiguous columns; must not overlap a or b.</param>
    /// <param name="accumulate">Whether the product is added to c.</param>
    /// <param name="bias">[n] or null: added last to each row.</param>
    public static void Run(
        Worker worker, GemmScratch scratch, MatrixView a, MatrixView b, MatrixView c, bool accumulate = false, float* bias = null)
    {
        if (a.Rows != c.Rows || b.Columns != c.Columns || a.Columns != b.Rows || c.ColumnPitch != 1)
        {
            Throw.Argument(
                Throw.Invariant($"[{a.Rows}, {a.Columns}] x [{b.Rows}, {b.Columns}] does not fit [{c.Rows}, {c.Columns}]"), nameof(c));
        }

        int down = GridRows(worker.Count, a.Rows, b.Columns);
        int across = worker.Count / down;
        (int Start, int End) rows = new Worker(null, worker.Index / across, down).Range(a.Rows, RowGrain);
        (int Start, int End) columns = new Worker(null, worker.Index % across, across).Range(b.Columns, Width);
        if (rows.Start == rows.End || columns.Start == columns.End)
        {
            return;
        }

        int deepest = EvenBlock(a.Columns, DepthBlock, 1), tallest = EvenBlock(rows.End - rows.Start, LeftBlock / deepest, MicroKernel.TallestRows);
        int widest = EvenBlock(columns.End - columns.Start, RightBlock / deepest, MicroKernel.WidestPanels * Width);
        float* left = scratch.Of(worker), right = left + LeftBlock;
        for (int column = columns.Start; column < columns.End; column += widest)
        {
            int width = Math.Min(widest, columns.End - column);
            for (int k = 0; k < a.Columns; k += deepest)
            {
                int depth = Math.Min(deepest, a.Columns - k);
                GemmPacking.Columns(b, k, depth, column, width, right);
                for (int row = rows.Start; row < rows.End; row += tallest)
                {
                    int height = Math.Min(tallest, rows.End - row);
                    GemmPacking.Rows(a, row, height, k, depth, left);
                    Block(left, 0, right, depth * Width, depth, c, row, height, column, width, accumulate || k > 0);
                }
            }

            for (int row = rows.Start; bias is not null && row < rows.End; row++)
            {
                Span<float> sums = new(c.At(row, column), width);
                TensorPrimitives.Add(sums, new ReadOnlySpan<float>(bias + column, width), sums);
            }
        }
    }

    /// <summary>The size of blocks of at most <paramref name="most"/> that cut a range evenly, a multiple of <paramref name="grain"/>.</summary>
    internal static int EvenBlock(int total, int most, int grain)
    {
        most = most / grain * grain;
        int blocks = (total + most - 1) / most;
        int grains = (total + grain - 1) / grain;
        return (grains + blocks - 1) / blocks * grain;
    }

    // Workers form a grid over c. The best grid is the one in which a worker packs the least.
    private static int GridRows(int workers, int rows, int columns)
    {
        int best = 1;
        for (int down = 2; down <= workers; down++)
        {
            if (workers % down == 0 && Cost(down) < Cost(best))
            {
                best = down;
            }
        }

        return best;

        double Cost(int down) => ((double)rows / down) + ((double)columns * down / workers);
    }

    /// <summary>c = a b, or c += a b, for a block of rows and columns.</summary>
    /// <param name="left">Packed A from <see cref="GemmPacking.Rows"/>, or the rows of a themselves.</param>
    /// <param name="aPitch">Distance between rows of a, or 0 if it is packed.</param>
    /// <param name="right">Packed B from <see cref="GemmPacking.Columns"/>.</param>
    /// <param name="panelPitch">Distance between panels.</param>
    /// <param name="depth">Terms of each sum.</param>
    /// <param name="c">The whole result.</param>
    /// <param name="row">First row of the block.</param>
    /// <param name="height">Rows of the block.</param>
    /// <param name="column">First column of the block.</param>
    /// <param name="width">Columns of the block.</param>
    /// <param name="accumulate">Whether the chains begin from what c holds.</param>
    /// <param name="ahead">The panels to prefetch for what follows.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Block(
        float* left, nint aPitch, float* right, nint panelPitch, int depth, MatrixView c, int row, int height, int column, int width, bool accumulate,
        PanelPrefetch ahead = default)
    {
        Debug.Assert(left is not null && right is not null, "no block of a or b");
        Debug.Assert(row >= 0 && row + height <= c.Rows && column >= 0 && column + width <= c.Columns, "a block outside c");
        Debug.Assert(column % Width == 0 && (aPitch == 0 || aPitch >= depth), "a block that begins within a panel, or rows of a that overlap");
        Debug.Assert(panelPitch >= depth * Width || width <= Width, "panels that overlap");
        int tallest = MicroKernel.TallestRows, widest = MicroKernel.WidestPanels * Width;
        nint rowPitch = aPitch == 0 ? depth : aPitch;
        int tiles = (height + tallest - 1) / tallest;
        for (int at = 0, panels; at < width; at += panels * Width)
        {
            panels = width - at >= widest ? MicroKernel.WidestPanels : 1;
            float* first = right + (at / Width * panelPitch);
            PanelPrefetch next = at + (panels * Width) < width
                ? new PanelPrefetch((byte*)(first + (panels * panelPitch)), panelPitch * sizeof(float), depth * Width * sizeof(float))
                : ahead;
            nint step = next.First is null ? 0 : Math.Max(1, next.Bytes / depth / tiles);
            MicroKernel kernel = new()
            {
                A = left,
                APitch = aPitch,
                B = first,
                SecondB = panels > 1 ? first + panelPitch : null,
                Depth = depth,
                C = c.At(row, column + at),
                CPitch = (nint)c.RowPitch,
                Accumulate = accumulate,
                PrefetchFrom = next.First is null ? (byte*)first : next.First,
                PrefetchPitch = next.Pitch,
                PrefetchStep = step,
                Count = 1,
            };
            bool isEdge = width - at < Width;
            for (int i = 0, passed; i < height; i += passed)
            {
                int rows = MicroKernel.FirstRows(height - i);
                kernel = kernel with { Count = isEdge ? 1 : Math.Max(1, MicroKernel.WholeTiles(height - i)) };
                if (isEdge)
                {
                    Edge(kernel, rows, width - at);
                }
                else
                {
                    kernel.Run(rows);
                }

                passed = rows * kernel.Count;
                kernel = kernel with
                {
                    A = kernel.A + (passed * rowPitch),
                    C = kernel.C + (passed * kernel.CPitch),
                    PrefetchFrom = kernel.PrefetchFrom + (kernel.Count * depth * step),
                };
            }
        }
    }

    // The last panel may reach beyond the last column, so its sums pass through a buffer.
    private static void Edge(MicroKernel kernel, int rows, int columns)
    {
        float* sums = stackalloc float[MicroKernel.MostRows * Width];
        Copy(kernel.C, kernel.CPitch, sums, Width, rows, columns);
        (kernel with { C = sums, CPitch = Width }).Run(rows);
        Copy(sums, Width, kernel.C, kernel.CPitch, rows, columns);
    }

    private static void Copy(float* from, long fromPitch, float* to, long toPitch, int rows, int columns)
    {
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                to[(i * toPitch) + j] = from[(i * fromPitch) + j];
            }
        }
    }
}
