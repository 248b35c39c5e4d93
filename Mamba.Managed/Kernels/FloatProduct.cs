namespace Mamba.Managed.Kernels;

/// <summary>y = x W^T for several rows and weights that are floating-point numbers.</summary>
/// <remarks>
/// Through the tile of <see cref="StridedProduct"/>: inputs are put in order a block at a time, unless only few panels pass by, and each panel
/// passes by once, unpacked where its weights are not floats.
/// </remarks>
internal static unsafe class FloatProduct
{
    private const int Width = PackedMatrix.PanelWidth;

    // So few panels are over before rows in order have paid for themselves: rows are read where they lie.
    private const int FewPanels = 8;

    /// <summary>Floats that a worker needs for its rows.</summary>
    public const int LeftLength = BlockedProduct.MostRows * BlockedProduct.MostInputs;

    /// <summary>Floats that a worker needs for two panels.</summary>
    public const int RightLength = 2 * Width * BlockedProduct.MostInputs;

    /// <summary>Computes pieces of the product with some rows.</summary>
    /// <param name="left">[<see cref="LeftLength"/>]</param>
    /// <param name="right">[<see cref="RightLength"/>]</param>
    /// <param name="x">[rows, inputs]</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="kernels">Those of the weights.</param>
    /// <param name="bias">[outputs] or null.</param>
    /// <param name="y">[rows, outputs]</param>
    /// <param name="rows">Which rows.</param>
    /// <param name="pieces">Those of all workers on these rows.</param>
    /// <param name="pieceLength">Panels of a piece.</param>
    public static void Run(
        float* left, float* right, MatrixView x, PackedMatrix weight, FloatPanels kernels, float* bias, MatrixView y, (int Start, int End) rows, Pieces pieces,
        int pieceLength)
    {
        Blocks product = new(left, right, x, weight, kernels, bias, y, pieceLength);
        BlockedProduct.Run(product, pieces, rows, x.Columns, pieceLength);
    }

    private readonly struct Blocks(
        float* left, float* right, MatrixView x, PackedMatrix weight, FloatPanels kernels, float* bias, MatrixView y, int pieceLength) : IBlockedProduct
    {
        private bool IsInPlace => weight.Panels <= FewPanels;

        public void Arrange(int row, int height, int k, int depth)
        {
            if (!IsInPlace)
            {
                ProductPacking.Rows(x, row, height, k, depth, left);
            }
        }

        public void Multiply(int row, int height, int k, int depth, int panel, int next)
        {
            float* rows = IsInPlace ? x.At(row, k) : left;
            nint pitch = IsInPlace ? (nint)x.RowPitch : 0;
            int end = Math.Min(panel + pieceLength, weight.Panels);
            for (int at = panel, count; at < end; at += count)
            {
                count = Math.Min(ProductTile.WidestPanels, end - at);
                float* w = kernels.Unpack(weight.Panel(at), k, depth, right);
                float* last = count == 1 ? w : kernels.Unpack(weight.Panel(at + 1), k, depth, right + (depth * Width));
                int following = at + count < end ? at + count : next;
                float* ahead = following >= 0 ? kernels.Unpack(weight.Panel(following), k, 0, right) : null;
                int column = at * Width, width = Math.Min(count * Width, y.Columns - column);
                StridedProduct.Block(rows, pitch, w, (nint)(last - w), depth, y, row, height, column, width, k > 0, ahead);
            }

            for (int i = row; k + depth == x.Columns && i < row + height; i++)
            {
                MatrixProduct.AddBias(bias, y, i, panel, end);
            }
        }
    }
}
