using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Mamba.Managed.Execution;

namespace Mamba.Managed.Kernels;

/// <summary>y = x W^T + bias for rows x against a packed matrix W.</summary>
/// <remarks>
/// Every entry of y is one chain of fused multiply-adds over the inputs in ascending order, whatever the tile, the width or the number of
/// rows: a row gives the same bits alone and in any batch. The bias is added last.
/// One row reads its panels straight from memory. Several go through the tile of <see cref="StridedProduct"/>: their inputs are put in order
/// a block at a time, and each panel passes by once, unpacked where its weights are not floats.
/// </remarks>
internal static unsafe class MatrixProduct
{
    private const int Width = PackedMatrix.PanelWidth;
    private const int DepthBlock = StridedProduct.DepthBlock;

    /// <summary>Room for the rows and weights that the workers put in order.</summary>
    public static ProductScratch CreateScratch(int workers) =>
        new(workers, Math.Max(StridedProduct.LeftBlock, IntegerProduct.LeftLength), Math.Max(2 * Width * DepthBlock, IntegerProduct.RightLength));

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
        (int Start, int End) rows = new Worker(null, worker.Index / across, down).Range(x.Rows, StridedProduct.RowGrain);
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
        // Blocks of equal size: no small one for which all panels pass by again.
        int deepest = StridedProduct.EvenBlock(x.Columns, DepthBlock, PackedMatrix.DepthBlock);
        int tallest = StridedProduct.EvenBlock(rows.End - rows.Start, StridedProduct.LeftBlock / deepest, ProductTile.TallestRows);
        for (int start = rows.Start; start < rows.End; start += tallest)
        {
            int height = Math.Min(tallest, rows.End - start);
            for (int k = 0; k < x.Columns; k += deepest)
            {
                int depth = Math.Min(deepest, x.Columns - k);
                ProductPacking.Rows(x, start, height, k, depth, left);
                for (int panel = panels.Start; panel < panels.End; panel += ProductTile.WidestPanels)
                {
                    int count = Math.Min(ProductTile.WidestPanels, panels.End - panel), column = panel * Width;
                    float* w = kernels.Unpack(weight.Panel(panel), k, depth, right);
                    float* last = count == 1 ? w : kernels.Unpack(weight.Panel(panel + 1), k, depth, right + (depth * Width));
                    float* ahead = panel + count < panels.End ? kernels.Unpack(weight.Panel(panel + count), k, 0, right) : null;
                    int width = Math.Min(count * Width, y.Columns - column);
                    StridedProduct.Block(left, w, (nint)(last - w), depth, y, start, height, column, width, k > 0, ahead);
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
