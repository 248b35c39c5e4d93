using System.Runtime.CompilerServices;

namespace Mamba.Managed.Kernels;

/// <summary>A product of several rows with a packed matrix, a block at a time.</summary>
internal interface IBlockedProduct
{
    /// <summary>Puts a block of the rows in order.</summary>
    void Arrange(int row, int height, int k, int depth);

    /// <summary>Adds the products of the block in order with neighbouring panels.</summary>
    /// <param name="row">First row of the block.</param>
    /// <param name="height">Rows of the block.</param>
    /// <param name="k">First input of the block.</param>
    /// <param name="depth">Inputs of the block.</param>
    /// <param name="panel">The first panel.</param>
    /// <param name="next">The first panel needed after these, or less than 0.</param>
    void Multiply(int row, int height, int k, int depth, int panel, int next);
}

/// <summary>Walks over the blocks of a product together with other workers.</summary>
internal static class BlockedProduct
{
    /// <summary>Rows of a block at most, a multiple of every tile's: what a pass feeds at once, so that each weight is read and unpacked once.</summary>
    public const int MostRows = 43 * ProductTile.MostRows;

    /// <summary>Inputs of a block at most: sums that leave the registers half way cost more than a panel that comes from the second-level cache.</summary>
    public const int MostInputs = 6 * InputGrain;

    // A multiple of every format's block of weights.
    private const int InputGrain = 256;

    private const int WidestTile = 2;

    // As many as fit on the stack with ease.
    private const int MostPieces = 1024;

    /// <summary>Panels of a piece: what the widest tile takes, unless that made too many pieces.</summary>
    public static int PieceLength(int panels) => ((panels / WidestTile / MostPieces) + 1) * WidestTile;

    /// <summary>Computes the pieces that this worker gets: some panels with a block of rows, over all inputs in ascending order.</summary>
    /// <param name="product">What to compute.</param>
    /// <param name="pieces">Those of all workers on these rows.</param>
    /// <param name="rows">Which rows.</param>
    /// <param name="inputs">Inputs.</param>
    /// <param name="pieceLength">Panels of a piece, as of <see cref="PieceLength"/>.</param>
    [SkipLocalsInit]
    public static void Run<T>(T product, Pieces pieces, (int Start, int End) rows, int inputs, int pieceLength)
        where T : struct, IBlockedProduct
    {
        // Of equal size: no small block for which all panels pass by again.
        int tallest = StridedProduct.EvenBlock(rows.End - rows.Start, MostRows, ProductTile.MostRows);
        int deepest = StridedProduct.EvenBlock(inputs, MostInputs, InputGrain);

        // What this worker takes of a block of rows, -1 behind the last.
        Span<int> mine = stackalloc int[MostPieces + 1];
        for (int row = rows.Start, block = 0; row < rows.End; row += tallest, block++)
        {
            int height = Math.Min(tallest, rows.End - row);
            mine[0] = pieces.Next(block);
            for (int k = 0; k < inputs && mine[0] >= 0; k += deepest)
            {
                int depth = Math.Min(deepest, inputs - k);
                product.Arrange(row, height, k, depth);
                for (int i = 0; mine[i] >= 0; i++)
                {
                    if (k == 0)
                    {
                        // Ahead of time, so that it can be fetched. Further inputs join sums that are this worker's already.
                        mine[i + 1] = pieces.Next(block);
                    }

                    product.Multiply(row, height, k, depth, mine[i] * pieceLength, mine[i + 1] * pieceLength);
                }
            }
        }
    }
}
