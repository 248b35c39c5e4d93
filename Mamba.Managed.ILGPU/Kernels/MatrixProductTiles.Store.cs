using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>How sums go to memory.</summary>
internal static partial class MatrixProductTiles
{
    /// <summary>Writes a lane's sums: of each 32 rows and 32 columns of the warp's part, four rows of eight neighboring columns.</summary>
    [Inlined]
    private static void Store(ProductTileArguments p, int row, int column)
    {
        int bytes = p.StoresBFloat16 != 0 ? 2 : 4;
        long stride = (long)p.PitchC * bytes;
        long address = p.C + Grid.IdxY * p.PartBytes + row * stride + (long)column * bytes;
        for (int down = Unroll.From(0); down < WarpRows / 32; down++)
        {
            if (row + 32 * down < p.Rows)
            {
                for (int i = Unroll.From(0); i < 4; i++)
                {
                    float bias = p.HasBias != 0 ? p.Bias[row + 32 * down + i] : 0f;
                    long rowAddress = address + (32 * down + i) * stride;
                    for (int across = Unroll.From(0); across < WarpColumns / 32; across++)
                    {
                        if (column + 32 * across < p.Columns)
                        {
                            StoreEight(p, ((2 * down + i / 2) * ColumnTiles + 4 * across) * 4 + i % 2 * 2, bias, rowAddress + 32 * across * bytes);
                        }
                    }
                }
            }
        }
    }

    /// <summary>Writes eight neighboring sums: the registers "sum" from an index, one every four, then the same from the next index.</summary>
    [Inlined]
    private static void StoreEight(ProductTileArguments p, int index, float bias, long address)
    {
        for (int i = Unroll.From(0); i < 4; i++)
        {
            Ptx.AddValue("sum", index + 4 * i, bias);
            Ptx.AddValue("sum", index + 4 * i + 1, bias);
        }

        if (p.Accumulates != 0)
        {
            Ptx.LoadGlobal4("x", 0, address, 0);
            Ptx.LoadGlobal4("x", 4, address, 16);
            for (int i = Unroll.From(0); i < 4; i++)
            {
                Ptx.Add("sum", index + 4 * i, "x", i);
                Ptx.Add("sum", index + 4 * i + 1, "x", 4 + i);
            }
        }

        if (p.StoresBFloat16 != 0)
        {
            Ptx.PackBFloat16("x", 0, "sum", index, index + 4);
            Ptx.PackBFloat16("x", 1, "sum", index + 8, index + 12);
            Ptx.PackBFloat16("x", 2, "sum", index + 1, index + 5);
            Ptx.PackBFloat16("x", 3, "sum", index + 9, index + 13);
            Ptx.StoreGlobal4("x", 0, 1, 2, 3, address, 0);
        }
        else
        {
            Ptx.StoreGlobal4("sum", index, index + 4, index + 8, index + 12, address, 0);
            Ptx.StoreGlobal4("sum", index + 1, index + 5, index + 9, index + 13, address, 16);
        }
    }
}

/// <summary>What a kernel of <see cref="MatrixProductTiles"/> works on. Addresses are of global memory; columns count up to a multiple of 16.</summary>
internal struct ProductTileArguments
{
    public long A;
    public long B;
    public long C;

    /// <summary>Bytes from the sums of one part of the depth to those of the next.</summary>
    public long PartBytes;
    public ArrayView<float> Bias;
    public int PitchA;
    public int PitchB;
    public int PitchC;
    public int Rows;
    public int Columns;

    /// <summary>Columns of B that exist in memory.</summary>
    public int LinesB;
    public int Depth;

    /// <summary>The depth that a group sums.</summary>
    public int PartDepth;
    public int TilesDown;
    public int TilesAcross;
    public int HasBias;
    public int Accumulates;
    public int StoresBFloat16;
}
