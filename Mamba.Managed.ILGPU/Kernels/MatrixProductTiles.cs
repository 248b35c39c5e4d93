using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>The matrix product by matrix instructions, for NVIDIA GPUs of the Ampere generation and later.</summary>
/// <remarks>
/// A group of threads computes a tile of C, a warp a part of it. Pieces of A and B travel through a ring of stages in shared memory, so that
/// copies run ahead of arithmetic. A "line" is a row of A or a column of B; a stage holds 64 bytes of the depth of every line of the tile:
/// 16 float32 or 32 bfloat16.
/// <para>
/// A float32 is parted into x = high + low, two bfloat16 or two TF32, and low high + high low + high high is summed by the matrix
/// instructions. They truncate sums, so the sum of each stage starts from zero and is then added to the accumulator by a rounded addition.
/// Of 4,096 terms the error is 4e-6 of the largest entry (TF32: 5e-7) instead of 3e-5.
/// </para>
/// <para>
/// Lane 4 g + t: of 32 lines, line 4 g + j is the g-th of the instructions' tile j, so that a lane's sums in four tiles are neighbors in C.
/// Of a stage's depth, lane t holds the float32 entries [4t, 4t + 4), whichever depth the instruction takes them for: the order of a sum's
/// terms is free as long as A and B agree. Of bfloat16 it holds the pairs from 2t, 8 + 2t, 16 + 2t and 24 + 2t.
/// </para>
/// </remarks>
internal static partial class MatrixProductTiles
{
    /// <summary>Whether operands are bfloat16.</summary>
    private const bool BFloat16 = false;

    /// <summary>Whether float32 operands are parted into TF32 instead of bfloat16.</summary>
    private const bool Tf32 = false;

    private const bool ATransposed = false;
    private const bool BTransposed = false;
    private const int TileRows = 128;
    private const int TileColumns = 64;
    private const int WarpRows = 64;
    private const int WarpColumns = 32;
    private const int Stages = 4;

    private const int WarpsAcross = TileColumns / WarpColumns;
    private const int Threads = TileRows / WarpRows * WarpsAcross * 32;
    private const int LineBytes = 64;
    private const int StageBytes = (TileRows + TileColumns) * LineBytes;
    private const int StageDepth = BFloat16 ? 32 : 16;
    private const int EntryBytes = BFloat16 ? 2 : 4;

    /// <summary>The instructions' tiles of a warp: of 16 rows and of 8 columns.</summary>
    private const int RowTiles = WarpRows / 16;
    private const int ColumnTiles = WarpColumns / 8;

    /// <summary>Registers that hold one part of a lane's entries of a line, and the instructions that consume them, two each.</summary>
    private const int Words = BFloat16 || Tf32 ? 4 : 2;
    private const int Steps = Words / 2;

    /// <summary>Rows of tiles that are walked together, so that groups which run at the same time share lines in the cache.</summary>
    private const int Band = 8;

    [Unrolled("DefaultNN128x128", "TileColumns=128", "WarpColumns=64", "Stages=3")]
    [Unrolled("DefaultNN128x64")]
    [Unrolled("DefaultNN64x64", "TileRows=64", "WarpRows=32")]
    [Unrolled("DefaultNT128x128", "TileColumns=128", "WarpColumns=64", "Stages=3", "BTransposed=true")]
    [Unrolled("DefaultNT128x64", "BTransposed=true")]
    [Unrolled("DefaultNT64x64", "TileRows=64", "WarpRows=32", "BTransposed=true")]
    [Unrolled("DefaultTN128x128", "TileColumns=128", "WarpColumns=64", "Stages=3", "ATransposed=true")]
    [Unrolled("DefaultTN128x64", "ATransposed=true")]
    [Unrolled("DefaultTN64x64", "TileRows=64", "WarpRows=32", "ATransposed=true")]
    [Unrolled("DefaultTT128x64", "ATransposed=true", "BTransposed=true")]
    [Unrolled("DefaultTT64x64", "TileRows=64", "WarpRows=32", "ATransposed=true", "BTransposed=true")]
    [Unrolled("HighNN128x64", "Tf32=true")]
    [Unrolled("HighNN64x64", "Tf32=true", "TileRows=64", "WarpRows=32")]
    [Unrolled("HighNT128x64", "Tf32=true", "BTransposed=true")]
    [Unrolled("HighNT64x64", "Tf32=true", "TileRows=64", "WarpRows=32", "BTransposed=true")]
    [Unrolled("HighTN128x64", "Tf32=true", "ATransposed=true")]
    [Unrolled("HighTN64x64", "Tf32=true", "TileRows=64", "WarpRows=32", "ATransposed=true")]
    [Unrolled("HighTT64x64", "Tf32=true", "TileRows=64", "WarpRows=32", "ATransposed=true", "BTransposed=true")]
    [Unrolled("BFloat16NN128x128", "BFloat16=true", "TileColumns=128", "WarpColumns=64", "Stages=3")]
    [Unrolled("BFloat16NN128x64", "BFloat16=true")]
    [Unrolled("BFloat16NN64x64", "BFloat16=true", "TileRows=64", "WarpRows=32")]
    [Unrolled("BFloat16NT128x128", "BFloat16=true", "TileColumns=128", "WarpColumns=64", "Stages=3", "BTransposed=true")]
    [Unrolled("BFloat16NT128x64", "BFloat16=true", "BTransposed=true")]
    [Unrolled("BFloat16NT64x64", "BFloat16=true", "TileRows=64", "WarpRows=32", "BTransposed=true")]
    [Unrolled("BFloat16TN128x128", "BFloat16=true", "TileColumns=128", "WarpColumns=64", "Stages=3", "ATransposed=true")]
    [Unrolled("BFloat16TN128x64", "BFloat16=true", "ATransposed=true")]
    [Unrolled("BFloat16TN64x64", "BFloat16=true", "TileRows=64", "WarpRows=32", "ATransposed=true")]
    [Unrolled("BFloat16TT128x64", "BFloat16=true", "ATransposed=true", "BTransposed=true")]
    [Unrolled("BFloat16TT64x64", "BFloat16=true", "TileRows=64", "WarpRows=32", "ATransposed=true", "BTransposed=true")]
    private static void Template(ProductTileArguments p)
    {
        int tiles = Ptx.DeclareShared("tiles", Stages * StageBytes);
        DeclareRegisters();

        int bandTiles = Band * p.TilesAcross;
        int band = Grid.IdxX / bandTiles;
        int inBand = Grid.IdxX - band * bandTiles;
        int bandHeight = IntrinsicMath.Min(p.TilesDown - band * Band, Band);
        int column = inBand / bandHeight;
        int row = (band * Band + inBand - column * bandHeight) * TileRows;
        column *= TileColumns;

        int start = Grid.IdxY * p.PartDepth;
        int left = IntrinsicMath.Min(p.Depth - start, p.PartDepth);
        int thread = Group.IdxX;
        int countA = Count(ATransposed, TileRows, thread, row, p.Rows);
        int countB = Count(!BTransposed, TileColumns, thread, column, p.LinesB);
        int targetA = tiles + Target(ATransposed, TileRows, thread);
        int targetB = tiles + TileRows * LineBytes + Target(!BTransposed, TileColumns, thread);
        long sourceA = p.A + Source(ATransposed, TileRows, thread, row, start, p.PitchA);
        long sourceB = p.B + Source(!BTransposed, TileColumns, thread, column, start, p.PitchB);
        for (int stage = Unroll.From(0); stage < Stages - 1; stage++)
        {
            if (stage * StageDepth < left)
            {
                Fetch(ATransposed, TileRows, thread, targetA + stage * StageBytes, sourceA, p.PitchA, countA, left - stage * StageDepth);
                Fetch(!BTransposed, TileColumns, thread, targetB + stage * StageBytes, sourceB, p.PitchB, countB, left - stage * StageDepth);
                sourceA += StageStride(ATransposed, p.PitchA);
                sourceB += StageStride(!BTransposed, p.PitchB);
            }

            Ptx.CommitCopies();
        }

        int g = (thread & 31) >> 2;
        int t = thread & 3;
        int warpRow = (thread >> 5) / WarpsAcross * WarpRows;
        int warpColumn = (thread >> 5) % WarpsAcross * WarpColumns;
        int readA = tiles + LanePart(ATransposed, TileRows, warpRow, thread & 31, 8);
        int readB = tiles + TileRows * LineBytes + LanePart(!BTransposed, TileColumns, warpColumn, thread & 31, 0);
        row += warpRow;
        column += warpColumn;

        // Small tiles are taken where there are few, and many of their warps have no entry of C. Float32 in the largest tiles needs all registers: the
        // question parts its products from the copies before them, which the compiler would otherwise mix, and keep sums in memory.
        const bool Asks = TileRows == 64 || (TileColumns == 128 && !BFloat16);
        bool isInside = !Asks || (row < p.Rows && column < p.Columns);
        int read = 0;
        for (; left > 0; left -= StageDepth)
        {
            Ptx.WaitForCopies(Stages - 2);
            Group.Barrier();
            if (left > (Stages - 1) * StageDepth)
            {
                // The stage that was read last: all warps have left it behind at the barrier.
                int write = read == 0 ? (Stages - 1) * StageBytes : read - StageBytes;
                Fetch(ATransposed, TileRows, thread, targetA + write, sourceA, p.PitchA, countA, left - (Stages - 1) * StageDepth);
                Fetch(!BTransposed, TileColumns, thread, targetB + write, sourceB, p.PitchB, countB, left - (Stages - 1) * StageDepth);
                sourceA += StageStride(ATransposed, p.PitchA);
                sourceB += StageStride(!BTransposed, p.PitchB);
            }

            Ptx.CommitCopies();
            if (isInside)
            {
                MultiplyStage(readA + read, readB + read);
            }

            read = read == (Stages - 1) * StageBytes ? 0 : read + StageBytes;
        }

        Store(p, row + 4 * g, column + 8 * t);
    }

    [Inlined]
    private static void DeclareRegisters()
    {
        Ptx.Declare("sum", RowTiles * ColumnTiles * 4);
        Ptx.Declare("part", 16);
        Ptx.Declare("ah", 4 * Words);
        Ptx.Declare("al", 4 * Words);
        Ptx.Declare("bh", ColumnTiles * Words);
        Ptx.Declare("bl", ColumnTiles * Words);
        Ptx.Declare("x", 16);
        Ptx.Declare("t", 2);
        Ptx.Declare("zero", 1);
        Ptx.SetZero("zero", 0);
        for (int i = Unroll.From(0); i < RowTiles * ColumnTiles * 4; i++)
        {
            Ptx.SetZero("sum", i);
        }
    }

    /// <summary>The products of one stage, added to the sums.</summary>
    [Inlined]
    private static void MultiplyStage(int a, int b)
    {
        for (int group = Unroll.From(0); group < WarpColumns / 32; group++)
        {
            ReadGroup(!BTransposed, TileColumns, b, group);
            for (int tile = Unroll.From(0); tile < 4; tile++)
            {
                ReadColumns(b, group, tile);
            }
        }

        for (int group = Unroll.From(0); group < WarpRows / 32; group++)
        {
            ReadGroup(ATransposed, TileRows, a, group);
            for (int tile = Unroll.From(0); tile < 2; tile++)
            {
                ReadRows(a, group, tile);
                MultiplyRows(2 * group + tile, tile * 2 * Words);
            }
        }
    }

    /// <summary>Sixteen rows of the warp's part of C, by the registers of A from an index.</summary>
    [Inlined]
    private static void MultiplyRows(int rowTile, int a)
    {
        if (BFloat16)
        {
            // What truncation loses in these sums, 2^-23 of them each time, is far less than operands of eight bits have lost.
            MultiplyParts("sum", rowTile * ColumnTiles * 4, "ah", a, "bh", 0, ColumnTiles, false);
        }
        else
        {
            // Four tiles at a time: enough for instructions not to wait for one another, and registers are few.
            for (int tile = Unroll.From(0); tile < ColumnTiles; tile += 4)
            {
                MultiplyParts("part", 0, "al", a, "bh", tile, 4, true);
                MultiplyParts("part", 0, "ah", a, "bl", tile, 4, false);
                MultiplyParts("part", 0, "ah", a, "bh", tile, 4, false);
                for (int i = Unroll.From(0); i < 16; i++)
                {
                    Ptx.Add("sum", (rowTile * ColumnTiles + tile) * 4 + i, "part", i);
                }
            }
        }
    }

    /// <summary>d += A B, or d = A B, of one part of A and one of B, in some tiles of eight columns.</summary>
    [Inlined]
    private static void MultiplyParts(string d, int index, string a, int row, string b, int firstTile, int tiles, bool isFirst)
    {
        for (int step = Unroll.From(0); step < Steps; step++)
        {
            for (int tile = Unroll.From(0); tile < tiles; tile++)
            {
                if (Tf32)
                {
                    Ptx.MultiplyTf32(d, index + 4 * tile, a, row + 4 * step, b, (firstTile + tile) * Words + 2 * step, isFirst && step == 0);
                }
                else
                {
                    Ptx.MultiplyBFloat16(d, index + 4 * tile, a, row + 4 * step, b, (firstTile + tile) * Words + 2 * step, isFirst && step == 0);
                }
            }
        }
    }
}
