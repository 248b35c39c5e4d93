using System.Runtime.CompilerServices;

namespace Mamba.Managed.Kernels;

/// <summary>Copies blocks of a matrix into the order in which the tile of <see cref="StridedProduct"/> reads them.</summary>
/// <remarks>
/// Slivers of 6 rows of the left side, panels of 16 columns of the right; within each the entries of one depth are neighbours, and what lies
/// beyond the matrix is zero.
/// </remarks>
internal static unsafe class ProductPacking
{
    private const int TileRows = 6;
    private const int Width = PackedMatrix.PanelWidth;

    /// <summary>Puts rows of the left side in order.</summary>
    public static void Rows(MatrixView a, int row, int height, int k, int depth, float* to)
    {
        for (int i = 0; i < height; i += TileRows, to += (long)depth * TileRows)
        {
            float* from = a.At(row + i, k);
            int count = Math.Min(TileRows, height - i);
            if (count < TileRows)
            {
                Gather(from, a.RowPitch, a.ColumnPitch, count, depth, TileRows, to);
            }
            else if (a.RowPitch == 1)
            {
                Six(from, a.ColumnPitch, depth, to);
            }
            else
            {
                Interleave(from, a.RowPitch, a.ColumnPitch, depth, TileRows, to);
                Interleave(from + (2 * a.RowPitch), a.RowPitch, a.ColumnPitch, depth, TileRows, to + 2);
                Interleave(from + (4 * a.RowPitch), a.RowPitch, a.ColumnPitch, depth, TileRows, to + 4);
            }
        }
    }

    /// <summary>Puts columns of the right side in order.</summary>
    public static void Columns(MatrixView b, int k, int depth, int column, int width, float* to)
    {
        for (int j = 0; j < width; j += Width, to += (long)depth * Width)
        {
            float* from = b.At(k, column + j);
            int count = Math.Min(Width, width - j);
            if (count < Width)
            {
                Gather(from, b.ColumnPitch, b.RowPitch, count, depth, Width, to);
            }
            else if (b.ColumnPitch == 1)
            {
                for (int i = 0; i < depth; i++)
                {
                    Unsafe.CopyBlockUnaligned(to + (i * Width), from + (i * b.RowPitch), Width * sizeof(float));
                }
            }
            else
            {
                for (int part = 0; part < Width; part += 4)
                {
                    float* four = from + (part * b.ColumnPitch);
                    Four(four, four + b.ColumnPitch, four + (2 * b.ColumnPitch), four + (3 * b.ColumnPitch), b.RowPitch, depth, to + part);
                }
            }
        }
    }

    private static void Six(float* from, long pitch, int depth, float* to)
    {
        for (int k = 0; k < depth; k++, from += pitch, to += TileRows)
        {
            Unsafe.CopyBlockUnaligned(to, from, TileRows * sizeof(float));
        }
    }

    private static void Interleave(float* from, long pitch, long step, int depth, int width, float* to)
    {
        float* second = from + pitch;
        for (int k = 0; k < depth; k++, to += width)
        {
            to[0] = from[k * step];
            to[1] = second[k * step];
        }
    }

    private static void Four(float* p0, float* p1, float* p2, float* p3, long step, int depth, float* to)
    {
        for (int k = 0; k < depth; k++, to += Width)
        {
            long at = k * step;
            to[0] = p0[at];
            to[1] = p1[at];
            to[2] = p2[at];
            to[3] = p3[at];
        }
    }

    private static void Gather(float* from, long pitch, long step, int count, int depth, int width, float* to)
    {
        for (int k = 0; k < depth; k++)
        {
            for (int i = 0; i < width; i++)
            {
                to[(k * width) + i] = i < count ? from[(i * pitch) + (k * step)] : 0;
            }
        }
    }
}
