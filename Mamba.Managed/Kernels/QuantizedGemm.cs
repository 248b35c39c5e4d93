using System.Runtime.CompilerServices;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>Products with quantized weights, y = x W^T, in integer arithmetic; <see cref="BlockPanels"/> defines an output.</summary>
internal static unsafe class QuantizedGemm
{
    /// <summary>Rows of one tile.</summary>
    public const int TileRows = 6;

    private const int Width = PackedMatrix.PanelWidth;

    /// <summary>Up to this many rows are computed as a gemv each: unpacking the weights for a tile would cost more than it saves.</summary>
    public const int GemvRows = 2;

    // Inputs of a row that are quantized at a time: a multiple of every block length.
    private const int GemvDepth = 8192;

    /// <summary>4-byte words of scratch for each worker: two unpacked panels, or the quantized rows of a gemv.</summary>
    public static int OwnLength => Math.Max(
        BlockedGemm.ItemPanels * Width * (BlockedGemm.MostInputs / 16) * (2 + (2 * 16 / ICodePlanes.QuadLength)),
        GemvRows * QuantizedActivations.RowLength(GemvDepth, 16, words: false));

    /// <summary>Computes this worker's share of the product.</summary>
    /// <param name="worker">The calling worker.</param>
    /// <param name="scratch">Shared by all workers.</param>
    /// <param name="x">[rows, inputs]</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="kernels">The kernels for the format of the weights.</param>
    /// <param name="bias">[outputs] or null.</param>
    /// <param name="y">[rows, outputs]</param>
    public static void Run(Worker worker, GemmScratch scratch, MatrixView x, PackedMatrix weight, BlockPanels kernels, float* bias, MatrixView y)
    {
        int tiles = TilesOf(x.Rows), length = QuantizedActivations.RowLength(x.Columns, kernels.GroupLength, kernels.TileTakesWords);
        Blocks product = new((int*)scratch.Rows(tiles * TileRows * length), scratch.Of(worker), x, weight, kernels, bias, y);
        BlockedGemm.Pack(worker, product, x.Columns);
        BlockedGemm.Multiply(worker, scratch, product, tiles, x.Columns, weight.Panels);
    }

    /// <summary>Computes the panels [first, last) of at most <see cref="GemvRows"/> rows.</summary>
    /// <param name="left">[<see cref="OwnLength"/>]</param>
    /// <param name="x">[rows, inputs]</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="kernels">The kernels for the format of the weights.</param>
    /// <param name="y">[rows, outputs]</param>
    /// <param name="panels">The panels to compute.</param>
    /// <param name="isPacked">Whether <paramref name="left"/> still holds these rows, quantized by a call for other panels.</param>
    [SkipLocalsInit]
    public static void Gemv(
        int* left, MatrixView x, PackedMatrix weight, BlockPanels kernels, MatrixView y, (int Start, int End) panels, bool isPacked)
    {
        // Panels that stay in the L1 cache while both rows use them.
        const int Step = 4;
        float* edge = stackalloc float[Width];
        for (int row = 0; row < x.Rows; row++)
        {
            int column = panels.Start * Width;
            new Span<float>(y.At(row, column), Math.Min(panels.End * Width, y.Columns) - column).Clear();
        }

        for (int k = 0; k < x.Columns; k += GemvDepth)
        {
            int depth = Math.Min(GemvDepth, x.Columns - k), length = QuantizedActivations.RowLength(depth, kernels.GroupLength, words: false);
            if (!isPacked || x.Columns > GemvDepth)
            {
                QuantizedActivations.Pack(x, 0, x.Rows, k, depth, kernels.GroupLength, kernels.Zero, words: false, left);
            }

            int whole = Math.Min(panels.End, y.Columns / Width);
            for (int panel = panels.Start; panel < panels.End; panel += Step)
            {
                int count = Math.Min(Step, whole - panel);
                for (int row = 0; row < x.Rows; row++)
                {
                    int* from = left + (row * length);
                    if (count > 0)
                    {
                        kernels.Gemv(from, x.Columns, k, depth, weight.Panel(panel), count, y.At(row, panel * Width));
                    }

                    // The last panel may reach beyond the outputs.
                    if (panel <= whole && whole < Math.Min(panel + Step, panels.End))
                    {
                        Span<float> target = new(y.At(row, whole * Width), y.Columns - (whole * Width));
                        target.CopyTo(new Span<float>(edge, Width));
                        kernels.Gemv(from, x.Columns, k, depth, weight.Panel(whole), 1, edge);
                        new ReadOnlySpan<float>(edge, target.Length).CopyTo(target);
                    }
                }
            }
        }
    }

    // Sums accumulate in a buffer on the stack: rows of y are often a multiple of 4096 bytes apart, and stores to them would suffer from 4K aliasing.
    [SkipLocalsInit]
    private static void Tiles(
        int* left, int depth, float* right, int count, BlockPanels kernels, MatrixView y, (int Start, int End) rows, int column, bool isFirst,
        PanelPrefetch ahead)
    {
        int columns = Math.Min(count * Width, y.Columns - column);
        float* room = stackalloc float[(TileRows * 2 * Width) + (TensorBuffer.Alignment / sizeof(float))];
        float* sums = TensorBuffer.Align(room);
        int length = TileRows * QuantizedActivations.RowLength(depth, kernels.GroupLength, kernels.TileTakesWords);
        for (int row = rows.Start; row < rows.End; row += TileRows, left += length)
        {
            int height = Math.Min(TileRows, rows.End - row);
            if (isFirst)
            {
                new Span<float>(sums, TileRows * 2 * Width).Clear();
            }
            else
            {
                Copy(y.At(row, column), y.RowPitch, sums, 2 * Width, height, columns);
            }

            kernels.Tile(left, height, depth, right, count, sums, ahead.Part(row - rows.Start, row - rows.Start + height, rows.End - rows.Start));
            Copy(sums, 2 * Width, y.At(row, column), y.RowPitch, height, columns);
        }
    }

    private static int TilesOf(int rows) => (rows + TileRows - 1) / TileRows;

    private static void Copy(float* from, long fromPitch, float* to, long toPitch, int rows, int columns)
    {
        for (; rows > 0; rows--, from += fromPitch, to += toPitch)
        {
            int column = 0;
            for (; column <= columns - Width; column += Width)
            {
                *(PanelColumns*)(to + column) = *(PanelColumns*)(from + column);
            }

            for (; column < columns; column++)
            {
                to[column] = from[column];
            }
        }
    }

    private readonly struct Blocks(int* packed, float* right, MatrixView x, PackedMatrix weight, BlockPanels kernels, float* bias, MatrixView y)
        : IBlockedGemm
    {
        public (int Start, int End) Part(int index, int count) => new Worker(null, index, count).Range(x.Rows, TileRows);

        public void Pack((int Start, int End) rows, int k, int depth) => QuantizedActivations.PackTiles(
            x, rows.Start, rows.End - rows.Start, k, depth, kernels.GroupLength, kernels.TileZero, kernels.TileTakesWords, At(rows.Start, k, depth));

        public void Multiply((int Start, int End) rows, int k, int depth, (int Start, int End) panels, (int Panel, int Input) next)
        {
            int count = panels.End - panels.Start;
            for (int i = 0; i < count; i++)
            {
                kernels.Expand(weight.Panel(panels.Start + i), k, depth, right + (i * kernels.ExpandedLength(depth)));
            }

            PanelPrefetch ahead = next.Panel < 0 ? default : new(
                weight.Panel(next.Panel) + kernels.PanelBytes(next.Input),
                kernels.PanelBytes(x.Columns),
                kernels.PanelBytes(Math.Min(depth, x.Columns - next.Input)));
            Tiles(At(rows.Start, k, depth), depth, right, count, kernels, y, rows, panels.Start * Width, isFirst: k == 0, ahead);
            for (int row = rows.Start; k + depth == x.Columns && row < rows.End; row++)
            {
                MatrixProduct.AddBias(bias, y, row, panels.Start, panels.End);
            }
        }

        // [inputs / depth, tiles, depth, 6]
        private int* At(int row, int k, int depth) =>
            packed + ((long)TilesOf(x.Rows) * TileRows * Length(k)) + ((long)row * Length(depth));

        private int Length(int depth) => QuantizedActivations.RowLength(depth, kernels.GroupLength, kernels.TileTakesWords);
    }

    // The columns of one panel as a value type, so that a copy is a few vector moves instead of a call.
    [InlineArray(Width)]
    private struct PanelColumns
    {
        private float first;
    }
}
