using Kernel = System.Action<Mamba.Managed.ILGPU.Kernels.ProductTileArguments>;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The kernels of <see cref="MatrixProductTiles"/> by what they multiply. Each list has one kernel a size of <see cref="ProductTile.All"/>.</summary>
internal static class ProductKernels
{
    /// <summary>Threads of a group in all of them.</summary>
    public const int Threads = 128;

    /// <summary>The kernels for a type and order of operands; rare ones lack the larger tiles.</summary>
    public static IReadOnlyList<Kernel> Of(NumberType type, ProductPrecision precision, bool aTransposed, bool bTransposed) =>
        (type, precision) switch
        {
            (NumberType.BFloat16, _) => (aTransposed, bTransposed) switch
            {
                (false, false) => [MatrixProductTiles.BFloat16NN64x64, MatrixProductTiles.BFloat16NN128x64, MatrixProductTiles.BFloat16NN128x128],
                (false, true) => [MatrixProductTiles.BFloat16NT64x64, MatrixProductTiles.BFloat16NT128x64, MatrixProductTiles.BFloat16NT128x128],
                (true, false) => [MatrixProductTiles.BFloat16TN64x64, MatrixProductTiles.BFloat16TN128x64, MatrixProductTiles.BFloat16TN128x128],
                (true, true) => [MatrixProductTiles.BFloat16TT64x64, MatrixProductTiles.BFloat16TT128x64],
            },
            (_, ProductPrecision.High) => (aTransposed, bTransposed) switch
            {
                (false, false) => [MatrixProductTiles.HighNN64x64, MatrixProductTiles.HighNN128x64],
                (false, true) => [MatrixProductTiles.HighNT64x64, MatrixProductTiles.HighNT128x64],
                (true, false) => [MatrixProductTiles.HighTN64x64, MatrixProductTiles.HighTN128x64],
                (true, true) => [MatrixProductTiles.HighTT64x64],
            },
            _ => (aTransposed, bTransposed) switch
            {
                (false, false) => [MatrixProductTiles.DefaultNN64x64, MatrixProductTiles.DefaultNN128x64, MatrixProductTiles.DefaultNN128x128],
                (false, true) => [MatrixProductTiles.DefaultNT64x64, MatrixProductTiles.DefaultNT128x64, MatrixProductTiles.DefaultNT128x128],
                (true, false) => [MatrixProductTiles.DefaultTN64x64, MatrixProductTiles.DefaultTN128x64, MatrixProductTiles.DefaultTN128x128],
                (true, true) => [MatrixProductTiles.DefaultTT64x64, MatrixProductTiles.DefaultTT128x64],
            },
        };
}
