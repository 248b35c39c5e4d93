using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Execution;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>c = a b, or c += a b, for matrices of any strides: the three products of training a linear layer.</summary>
/// <remarks>
/// With x [rows, inputs], W [outputs, inputs] and upstream gradient dy [rows, outputs]:
/// <code>
/// y = x W^T        dx = dy W        dW += dy^T x
/// </code>
/// Every entry of c is one chain of fused multiply-adds over the depth in ascending order, begun from 0 or from what c holds: the bits do not
/// depend on tiles, blocks or threads, a forward product has those of <see cref="MatrixProduct"/>, and rows fed in two calls add up to
/// the gradient of one call. Both sides are copied, a block at a time, into the order in which the tile reads them, so that weights need no
/// second copy in memory.
/// </remarks>
internal static unsafe class StridedProduct
{
    /// <summary>Rows of a in one block: with <see cref="DepthBlock"/> a fifth of a second-level cache.</summary>
    public const int RowBlock = 32 * TileRows;

    /// <summary>Depth of one block: a panel of b stays in the first-level cache.</summary>
    public const int DepthBlock = 256;

    /// <summary>Columns of b in one block.</summary>
    public const int ColumnBlock = 2048;

    /// <summary>Rows of one tile.</summary>
    public const int TileRows = 6;

    private const int Width = PackedMatrix.PanelWidth;

    /// <summary>Room for the blocks that the workers put in order.</summary>
    public static ProductScratch CreateScratch(int workers) => new(workers, RowBlock * DepthBlock, ColumnBlock * DepthBlock);

    /// <summary>Computes this worker's share; a barrier must follow before c is read.</summary>
    /// <param name="worker">Who computes.</param>
    /// <param name="scratch">With room for all workers.</param>
    /// <param name="a">[m, k]</param>
    /// <param name="b">[k, n]</param>
    /// <param name="c">[m, n], neighbouring columns next to each other; must not overlap a or b.</param>
    /// <param name="accumulate">Whether the product is added to c.</param>
    /// <param name="bias">[n] or null: added last to each row.</param>
    public static void Run(
        Worker worker, ProductScratch scratch, MatrixView a, MatrixView b, MatrixView c, bool accumulate = false, float* bias = null)
    {
        if (a.Rows != c.Rows || b.Columns != c.Columns || a.Columns != b.Rows || c.ColumnPitch != 1)
        {
            Throw.Argument(
                Throw.Invariant($"[{a.Rows}, {a.Columns}] x [{b.Rows}, {b.Columns}] does not fit [{c.Rows}, {c.Columns}]"), nameof(c));
        }

        int down = GridRows(worker.Count, a.Rows, b.Columns);
        int across = worker.Count / down;
        (int Start, int End) rows = new Worker(null, worker.Index / across, down).Range(a.Rows, TileRows);
        (int Start, int End) columns = new Worker(null, worker.Index % across, across).Range(b.Columns, Width);
        if (rows.Start == rows.End)
        {
            return;
        }

        float* left = scratch.LeftOf(worker), right = scratch.RightOf(worker);
        for (int column = columns.Start; column < columns.End; column += ColumnBlock)
        {
            int width = Math.Min(ColumnBlock, columns.End - column);
            for (int k = 0; k < a.Columns; k += DepthBlock)
            {
                int depth = Math.Min(DepthBlock, a.Columns - k);
                ProductPacking.Columns(b, k, depth, column, width, right);
                for (int row = rows.Start; row < rows.End; row += RowBlock)
                {
                    int height = Math.Min(RowBlock, rows.End - row);
                    ProductPacking.Rows(a, row, height, k, depth, left);
                    Block(left, right, depth, c, row, height, column, width, accumulate || k > 0);
                }
            }

            for (int row = rows.Start; bias is not null && row < rows.End; row++)
            {
                Span<float> sums = new(c.At(row, column), width);
                System.Numerics.Tensors.TensorPrimitives.Add(sums, new ReadOnlySpan<float>(bias + column, width), sums);
            }
        }
    }

    // Workers stand in a grid over c; the grid whose members have the least to put in order wins.
    internal static int GridRows(int workers, int rows, int columns)
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
    internal static void Block(
        float* left, float* right, int depth, MatrixView c, int row, int height, int column, int width, bool accumulate)
    {
        float* edge = stackalloc float[TileRows * Width];
        for (int j = 0; j < width; j += Width, right += (long)depth * Width)
        {
            float* sliver = left;
            for (int i = 0; i < height; i += TileRows, sliver += (long)depth * TileRows)
            {
                (int rows, int columns) = (Math.Min(TileRows, height - i), Math.Min(Width, width - j));
                float* target = c.At(row + i, column + j);
                if (rows == TileRows && columns == Width)
                {
                    Tile(sliver, right, depth, target, c.RowPitch, accumulate);
                    continue;
                }

                Copy(target, c.RowPitch, edge, Width, rows, columns);
                Tile(sliver, right, depth, edge, Width, accumulate);
                Copy(edge, Width, target, c.RowPitch, rows, columns);
            }
        }
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

    private static void Tile(float* a, float* b, int depth, float* c, long pitch, bool accumulate)
    {
        // 512-bit tiles gained nothing over 256-bit ones where both were measured.
        if (InstructionSets.Current >= InstructionSet.Avx2)
        {
            Tile<Lanes256, Vector256<float>>(a, b, depth, c, (nint)pitch, accumulate);
        }
        else if (InstructionSets.Current == InstructionSet.Vector128)
        {
            Tile<Lanes128, Vector128<float>>(a, b, depth, c, (nint)pitch, accumulate);
        }
        else
        {
            Tile<LanesScalar, float>(a, b, depth, c, (nint)pitch, accumulate);
        }
    }

    // Twelve accumulators as separate locals, two vectors of columns for each of six rows: enough chains to hide the latency of the fused
    // multiply-add, few enough for sixteen registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<L, V>(float* a, float* b, int depth, float* c, nint pitch, bool accumulate)
        where L : struct, ILanes<V>
    {
        for (int at = 0; at < Width; at += 2 * L.Count)
        {
            V a0 = L.Broadcast(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0, e0 = a0, e1 = a0, f0 = a0, f1 = a0;
            float* t = c + at;
            float* u = t + L.Count;
            if (accumulate)
            {
                (a0, a1) = (L.Load(t), L.Load(u));
                (b0, b1) = (L.Load(t + pitch), L.Load(u + pitch));
                (c0, c1) = (L.Load(t + (2 * pitch)), L.Load(u + (2 * pitch)));
                (d0, d1) = (L.Load(t + (3 * pitch)), L.Load(u + (3 * pitch)));
                (e0, e1) = (L.Load(t + (4 * pitch)), L.Load(u + (4 * pitch)));
                (f0, f1) = (L.Load(t + (5 * pitch)), L.Load(u + (5 * pitch)));
            }

            float* r = a;
            float* w = b + at;
            for (int k = depth; k > 0; k--)
            {
                V w0 = L.Load(w);
                V w1 = L.Load(w + L.Count);
                V value = L.Broadcast(r[0]);
                a0 = L.MultiplyAdd(value, w0, a0);
                a1 = L.MultiplyAdd(value, w1, a1);
                value = L.Broadcast(r[1]);
                b0 = L.MultiplyAdd(value, w0, b0);
                b1 = L.MultiplyAdd(value, w1, b1);
                value = L.Broadcast(r[2]);
                c0 = L.MultiplyAdd(value, w0, c0);
                c1 = L.MultiplyAdd(value, w1, c1);
                value = L.Broadcast(r[3]);
                d0 = L.MultiplyAdd(value, w0, d0);
                d1 = L.MultiplyAdd(value, w1, d1);
                value = L.Broadcast(r[4]);
                e0 = L.MultiplyAdd(value, w0, e0);
                e1 = L.MultiplyAdd(value, w1, e1);
                value = L.Broadcast(r[5]);
                f0 = L.MultiplyAdd(value, w0, f0);
                f1 = L.MultiplyAdd(value, w1, f1);
                r += TileRows;
                w += Width;
            }

            L.Store(t, a0);
            L.Store(u, a1);
            L.Store(t + pitch, b0);
            L.Store(u + pitch, b1);
            L.Store(t + (2 * pitch), c0);
            L.Store(u + (2 * pitch), c1);
            L.Store(t + (3 * pitch), d0);
            L.Store(u + (3 * pitch), d1);
            L.Store(t + (4 * pitch), e0);
            L.Store(u + (4 * pitch), e1);
            L.Store(t + (5 * pitch), f0);
            L.Store(u + (5 * pitch), f1);
        }
    }
}
