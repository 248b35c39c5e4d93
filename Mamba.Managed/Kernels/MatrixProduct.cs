using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Mamba.Managed.Execution;

namespace Mamba.Managed.Kernels;

/// <summary>y = x W^T + bias for rows x against a packed matrix W.</summary>
/// <remarks>
/// Every entry of y is one chain of fused multiply-adds over the inputs in ascending order, whatever the tile, the width or the number of
/// rows: a row gives the same bits alone and in any batch. The bias is added last.
/// One row reads its panels straight from memory. Several go through the tile of <see cref="StridedProduct"/>: their inputs are put in order
/// 256 at a time, and each panel passes by once, unpacked where its weights are not floats.
/// </remarks>
internal static unsafe class MatrixProduct
{
    private const int Width = PackedMatrix.PanelWidth;
    private const int DepthBlock = PackedMatrix.DepthBlock;

    // With 256 inputs a quarter of a second-level cache of 1 MB, half of one of 512 kB.
    private const int RowBlock = 22 * ProductTile.MostRows;

    /// <summary>Room for the rows and weights that the workers put in order.</summary>
    public static ProductScratch CreateScratch(int workers) => 
        new(workers, Math.Max(RowBlock * DepthBlock, IntegerProduct.LeftLength), Math.Max(2 * Width * DepthBlock, IntegerProduct.RightLength));

    /// <summary>Computes this worker's share of the product; a barrier must follow before y is read.</summary>
    /// <param name="worker">Who computes.</param>
    /// <param name="scratch">As of <see cref="CreateScratch"/>, for all workers.</param>
    /// <param name="x">[rows, inputs] with a pitch of <paramref name="xPitch"/>.</param>
    /// <param name="xPitch">Distance between rows of x.</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="bias">[outputs] or empty.</param>
    /// <param name="y">[rows, outputs], tightly packed; must not overlap x.</param>
    /// <param name="rows">How many rows.</param>
    public static void Forward(
        Worker worker, ProductScratch scratch, ReadOnlySpan<float> x, int xPitch, PackedMatrix weight, ReadOnlySpan<float> bias, Span<float> y, int rows)
    {
        Throw.UnlessLength(rows * weight.Outputs, y.Length);
        Throw.UnlessLength(bias.IsEmpty ? 0 : weight.Outputs, bias.Length);
        if (rows == 0 || xPitch < weight.Inputs || x.Length < ((rows - 1) * xPitch) + weight.Inputs)
        {
            Throw.Argument(Throw.Invariant($"expected {rows} rows of {weight.Inputs} with a pitch of {xPitch}, found {x.Length} elements"), nameof(x));
        }

        fixed (float* input = x, output = y, add = bias)
        {
            Share(
                worker,
                scratch,
                new MatrixView(input, rows, weight.Inputs, xPitch),
                weight,
                add,
                new MatrixView(output, rows, weight.Outputs));
        }

        GC.KeepAlive(weight);
    }

    private static void Share(Worker worker, ProductScratch scratch, MatrixView x, PackedMatrix weight, float* bias, MatrixView y)
    {
        int down = x.Rows == 1 ? 1 : StridedProduct.GridRows(worker.Count, x.Rows, weight.Outputs);
        int across = worker.Count / down;
        (int Start, int End) rows = new Worker(null, worker.Index / across, down).Range(x.Rows, ProductTile.TallestRows);
        (int Start, int End) panels = new Worker(null, worker.Index % across, across).Range(weight.Panels, x.Rows == 1 ? 1 : ProductTile.WidestPanels);
        if (rows.Start == rows.End || panels.Start == panels.End)
        {
            return;
        }

        float* left = scratch.LeftOf(worker), right = scratch.RightOf(worker);
        if (weight.Blocks is { } blocks)
        {
            IntegerProduct.Run((int*)left, right, x, weight, blocks, y, rows, panels);
        }
        else if (x.Rows == 1)
        {
            OneRow(x.Start, weight, weight.Floats!, y.Start, panels);
        }
        else
        {
            Rows(left, right, x, weight, weight.Floats!, y, rows, panels);
        }

        for (int row = rows.Start; bias is not null && row < rows.End; row++)
        {
            AddBias(new(bias, y.Columns), new(y.At(row, 0), y.Columns), panels.Start, panels.End);
        }
    }

    [SkipLocalsInit]
    private static void OneRow(float* x, PackedMatrix weight, FloatPanels kernels, float* y, (int Start, int End) panels)
    {
        int whole = Math.Min(panels.End, weight.Outputs / Width);
        if (panels.Start < whole)
        {
            kernels.Row(x, weight.Inputs, weight.Panel(panels.Start), whole - panels.Start, y + (panels.Start * Width));
        }

        if (whole < panels.End)
        {
            float* edge = stackalloc float[Width];
            kernels.Row(x, weight.Inputs, weight.Panel(whole), 1, edge);
            int first = whole * Width, count = weight.Outputs - first;
            new ReadOnlySpan<float>(edge, count).CopyTo(new Span<float>(y + first, count));
        }
    }

    private static void Rows(
        float* left, float* right, MatrixView x, PackedMatrix weight, FloatPanels kernels, MatrixView y, (int Start, int End) rows, (int Start, int End) panels)
    {
        // Blocks of equal height: no short one for which all panels pass by again.
        int blocks = (rows.End - rows.Start + RowBlock - 1) / RowBlock;
        for (int block = 0; block < blocks; block++)
        {
            (int start, int end) = new Worker(null, block, blocks).Range(rows.End - rows.Start, ProductTile.TallestRows);
            (start, end) = (start + rows.Start, end + rows.Start);
            for (int k = 0; k < x.Columns; k += DepthBlock)
            {
                int depth = Math.Min(DepthBlock, x.Columns - k);
                ProductPacking.Rows(x, start, end - start, k, depth, left);
                for (int panel = panels.Start; panel < panels.End; panel += ProductTile.WidestPanels)
                {
                    int count = Math.Min(ProductTile.WidestPanels, panels.End - panel), column = panel * Width;
                    float* w = kernels.Unpack(weight.Panel(panel), k, depth, right);
                    float* last = count == 1 ? w : kernels.Unpack(weight.Panel(panel + 1), k, depth, right + (depth * Width));
                    int width = Math.Min(count * Width, y.Columns - column);
                    StridedProduct.Block(left, w, (nint)(last - w), depth, y, start, end - start, column, width, k > 0);
                }
            }
        }
    }

    private static void AddBias(ReadOnlySpan<float> bias, Span<float> row, int firstPanel, int lastPanel)
    {
        Range mine = (firstPanel * Width)..Math.Min(lastPanel * Width, row.Length);
        TensorPrimitives.Add(row[mine], bias[mine], row[mine]);
    }
}
