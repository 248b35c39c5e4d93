namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>A size of the tiles of C that groups of threads compute.</summary>
/// <param name="Rows">Of a tile.</param>
/// <param name="Columns">Of a tile.</param>
/// <param name="Groups">How many fit on a multiprocessor, by the registers and the shared memory of the kernels.</param>
internal readonly record struct ProductTile(int Rows, int Columns, int Groups)
{
    /// <summary>All sizes, the smallest first.</summary>
    public static IReadOnlyList<ProductTile> All { get; } = [new(64, 64, 4), new(128, 64, 3), new(128, 128, 2)];

    /// <summary>Tiles over the rows and over the columns of a product.</summary>
    public (int Down, int Across) Over(in ProductShape shape) => ((shape.Rows + Rows - 1) / Rows, (shape.Columns + Columns - 1) / Columns);

    public int Count(in ProductShape shape)
    {
        (int down, int across) = Over(shape);
        return checked(down * across);
    }
}

/// <summary>How a product is divided among groups of threads: into tiles of C, and the depth of each tile into parts.</summary>
/// <param name="Size">Which of <see cref="ProductTile.All"/>.</param>
/// <param name="Parts">Groups that share the depth of a tile; more than one write partial sums, which a second kernel adds in order.</param>
/// <param name="PartDepth">The depth of a part; the last may have less.</param>
internal readonly record struct ProductPlan(int Size, int Parts, int PartDepth)
{
    /// <summary>Bytes of depth below which a part spends more on starting and on its partial sums than on products: eight stages.</summary>
    private const int LeastPartBytes = 512;

    public ProductTile Tile => ProductTile.All[Size];

    /// <summary>Floats that partial sums take.</summary>
    public long Workspace(in ProductShape shape) => Parts == 1 ? 0 : (long)Parts * shape.Rows * Padding.Up(shape.Columns, Padding.Rows);

    /// <summary>The division that keeps the device busiest.</summary>
    /// <param name="shape">The product's sizes.</param>
    /// <param name="entryBytes">Bytes of an operand's entry.</param>
    /// <param name="sizes">How many sizes of tiles there are kernels for.</param>
    /// <param name="multiprocessors">Of the device.</param>
    /// <param name="workspace">Floats there are for partial sums.</param>
    /// <remarks>
    /// The larger a tile, the more products each byte from shared memory serves; but the last round of groups leaves multiprocessors idle, so there must be
    /// many. In float32 on an H200 (132 multiprocessors) the largest are fastest at 4096^3, about 105 TFLOP/s with 1,024 tiles; the middle ones at
    /// 2048 x 3072 x 768, 89 with 768; the smallest at 2048 x 768 x 1536, 70 with 384.
    /// </remarks>
    public static ProductPlan Of(in ProductShape shape, int entryBytes, int sizes, int multiprocessors, long workspace)
    {
        if (sizes > 2 && ProductTile.All[2].Count(shape) >= 4 * multiprocessors)
        {
            return new(2, 1, shape.Depth);
        }

        if (sizes > 1 && ProductTile.All[1].Count(shape) >= ProductTile.All[1].Groups * multiprocessors)
        {
            return new(1, 1, shape.Depth);
        }

        ProductPlan divided = Divided(shape, entryBytes, multiprocessors);
        return divided.Workspace(shape) <= workspace ? divided : new(0, 1, shape.Depth);
    }

    /// <summary>The most floats of partial sums of any product of these rows and this depth with at most these columns.</summary>
    /// <remarks>Parts are no more than what the depth is worth, and all parts of all tiles no more than what the device holds at once.</remarks>
    public static long MostWorkspace(in ProductShape shape, int multiprocessors)
    {
        ProductTile tile = ProductTile.All[0];
        long ofDepth = (long)DepthParts(shape, sizeof(float)) * shape.Rows * Padding.Up(shape.Columns, Padding.Rows);
        return Math.Min(ofDepth, (long)multiprocessors * tile.Groups * tile.Rows * tile.Columns);
    }

    /// <summary>Small tiles, and their depth in as many parts as fill all multiprocessors.</summary>
    private static ProductPlan Divided(in ProductShape shape, int entryBytes, int multiprocessors)
    {
        int wanted = ProductTile.All[0].Groups * multiprocessors / ProductTile.All[0].Count(shape);
        int parts = Math.Clamp(wanted, 1, DepthParts(shape, entryBytes));
        int partDepth = Padding.Up((shape.Depth + parts - 1) / parts, StageDepth(entryBytes));
        return new(0, (shape.Depth + partDepth - 1) / partDepth, partDepth);
    }

    private static int DepthParts(in ProductShape shape, int entryBytes) => Math.Max(1, shape.Depth * entryBytes / LeastPartBytes);

    /// <summary>The depth of a stage of <see cref="MatrixProductTiles"/>.</summary>
    private static int StageDepth(int entryBytes) => 64 / entryBytes;
}
