using System.Runtime.CompilerServices;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>c = a b, or c += a b, for matrices of any strides: the three products of training a linear layer.</summary>
/// <remarks>
/// With x [rows, inputs], W [outputs, inputs] and upstream gradient dy [rows, outputs]:
/// <code>
/// y = x W^T        dx = dy W        dW += dy^T x
/// </code>
/// Every entry of c is one chain of fused multiply-adds over the depth in ascending order, begun from 0 or from what c holds: the bits do not
/// depend on tiles, blocks or threads, a forward product has those of <see cref="MatrixProduct"/>, and rows fed in two calls add up to
/// the gradient of one call. Both sides are copied, a block at a time, into the order in which the kernel reads them, so that weights need no
/// second copy in memory.
/// </remarks>
internal static unsafe class GeneralGemm
{
    // Longer chains in registers pay for a panel of b that comes from the second-level cache.
    private const int DepthBlock = 1024;

    // Entries of a block of a: half of a second-level cache of 512 kB.
    private const int LeftBlock = 1 << 16;

    // Rows from which workers share out: a third of the tallest kernel, so that shares are even.
    private const int RowGrain = 4;

    // 2 MB: each worker's part of a third-level cache.
    private const int RightBlock = 1 << 19;

    private const int Width = PackedMatrix.PanelWidth;

    /// <summary>Room for the blocks that the workers put in order.</summary>
    public static GemmScratch CreateScratch(int workers) => new(workers, LeftBlock + RightBlock);

    /// <summary>Computes this worker's share; a barrier must follow before c is read.</summary>
    /// <param name="worker">Who computes.</param>
    /// <param name="scratch">With room for all workers.</param>
    /// <param name="a">[m, k]</param>
    /// <param name="b">[k, n]</param>
    /// <param name="c">[m, n], neighboring columns next to each other; must not overlap a or b.</param>
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
                System.Numerics.Tensors.TensorPrimitives.Add(sums, new ReadOnlySpan<float>(bias + column, width), sums);
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

    // Workers stand in a grid over c; the grid whose members have the least to put in order wins.
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

    /// <summary>c = a b, or c += a b, for a block of rows and columns that are in order.</summary>
    /// <param name="left">Slivers, as <see cref="GemmPacking.Rows"/> leaves them, or rows where they lie.</param>
    /// <param name="aPitch">Distance between rows, or 0 for tiles.</param>
    /// <param name="right">Panels, as <see cref="GemmPacking.Columns"/> leaves them.</param>
    /// <param name="panelPitch">Distance between panels.</param>
    /// <param name="depth">Terms of each sum.</param>
    /// <param name="c">The whole result.</param>
    /// <param name="row">First row of the block.</param>
    /// <param name="height">Rows of the block.</param>
    /// <param name="column">First column of the block.</param>
    /// <param name="width">Columns of the block.</param>
    /// <param name="accumulate">Whether the chains begin from what c holds.</param>
    /// <param name="ahead">The panels needed after these.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Block(
        float* left, nint aPitch, float* right, nint panelPitch, int depth, MatrixView c, int row, int height, int column, int width, bool accumulate,
        PanelPrefetch ahead = default)
    {
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

    // A panel that reaches beyond the last column.
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
