using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Mamba.Managed.Kernels;

/// <summary>Packs blocks of A and B into the order in which <see cref="MicroKernel"/> reads them.</summary>
/// <remarks>
/// A becomes micro-panels of as many rows as a tile has, B panels of 16 columns, the last filled up with zeros. Within a panel the entries of one
/// depth are contiguous.
/// </remarks>
internal static unsafe class GemmPacking
{
    private const int Width = PackedMatrix.PanelWidth;

    // Where the entries of one depth are contiguous in the source, several panels are packed together, so that a row is read in longer runs. Rows are
    // prefetched by software: each lies in another 4 KB page, and the hardware prefetcher does not cross pages.
    private const int PackedAtOnce = 8;
    private const int RowsAhead = 16;

    /// <summary>Packs rows of A.</summary>
    public static void Rows(MatrixView a, int row, int height, int k, int depth, float* to)
    {
        Debug.Assert(row >= 0 && row + height <= a.Rows && k >= 0 && k + depth <= a.Columns, "a block outside A");
        int width = MicroKernel.TallestRows, whole = MicroKernel.WholeTiles(height) * width;
        MicroPanels(a.At(row, k), a.RowPitch, a.ColumnPitch, whole, depth, to, width);
        for (int i = whole, rows; i < height; i += rows)
        {
            rows = MicroKernel.FirstRows(height - i);
            Interleave(a.At(row + i, k), a.RowPitch, a.ColumnPitch, rows, depth, to + ((long)i * depth), rows);
        }
    }

    /// <summary>Packs columns of B.</summary>
    public static void Columns(MatrixView b, int k, int depth, int column, int width, float* to)
    {
        Debug.Assert(k >= 0 && k + depth <= b.Rows && column >= 0 && column + width <= b.Columns, "a block outside B");
        int whole = width / Width * Width;
        MicroPanels(b.At(k, column), b.ColumnPitch, b.RowPitch, whole, depth, to, Width);
        if (whole < width)
        {
            to += (long)whole * depth;
            new Span<float>(to, depth * Width).Clear();
            Interleave(b.At(k, column + whole), b.ColumnPitch, b.RowPitch, width - whole, depth, to, Width);
        }
    }

    private static void MicroPanels(float* from, long pitch, long step, int count, int depth, float* to, int width)
    {
        int lines = pitch == 1 && Vector128.IsHardwareAccelerated ? PackedAtOnce * width : width;
        for (int i = 0; i < count; i += lines, from += lines * pitch, to += (long)lines * depth)
        {
            if (lines > width)
            {
                Copy(from, step, Math.Min(lines, count - i), depth, to, width);
            }
            else
            {
                Interleave(from, pitch, step, width, depth, to, width);
            }
        }
    }

    /// <summary>to[k, i] = from[i, k].</summary>
    public static void Interleave(float* from, long pitch, long step, int count, int depth, float* to, int width)
    {
        if (count < 4 || !Vector128.IsHardwareAccelerated)
        {
            Gather(from, pitch, step, count, depth, to, width);
            return;
        }

        // Four lines at a time; the last four may repeat some of those before.
        for (int i = 0; i < count; i += 4)
        {
            int first = Math.Min(i, count - 4);
            Four(from + (first * pitch), pitch, step, depth, to + first, width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Copy(float* from, long step, int count, int depth, float* to, int width)
    {
        for (int k = 0; k < depth; k++, from += step, to += width)
        {
            float* panel = to, ahead = k + RowsAhead < depth ? from + (RowsAhead * step) : from;
            for (int i = 0; i < count; i += width, panel += (long)depth * width)
            {
                if (Sse.IsSupported)
                {
                    Sse.Prefetch0(ahead + i);
                }

                for (int j = 0; j < width; j += 4)
                {
                    int first = Math.Min(j, width - 4);
                    Vector128.Load(from + i + first).Store(panel + first);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four(float* from, long pitch, long step, int depth, float* to, int width)
    {
        int k = 0;
        if (step == 1 && Avx.IsSupported)
        {
            for (; k + 8 <= depth; k += 8, to += 8 * width)
            {
                float* at = from + k;
                Vector256<float> a = Vector256.Load(at), b = Vector256.Load(at + pitch), c = Vector256.Load(at + (2 * pitch)), d = Vector256.Load(at + (3 * pitch));
                Vector256<float> low = Avx.UnpackLow(a, c), high = Avx.UnpackHigh(a, c), otherLow = Avx.UnpackLow(b, d), otherHigh = Avx.UnpackHigh(b, d);
                Halves(Avx.UnpackLow(low, otherLow), to, width);
                Halves(Avx.UnpackHigh(low, otherLow), to + width, width);
                Halves(Avx.UnpackLow(high, otherHigh), to + (2 * width), width);
                Halves(Avx.UnpackHigh(high, otherHigh), to + (3 * width), width);
            }
        }

        for (; step == 1 && k + 4 <= depth; k += 4, to += 4 * width)
        {
            float* at = from + k;
            Vector128<float> a = Vector128.Load(at), b = Vector128.Load(at + pitch), c = Vector128.Load(at + (2 * pitch)), d = Vector128.Load(at + (3 * pitch));
            Vector128<float> low = ZipLow(a, c), high = ZipHigh(a, c), otherLow = ZipLow(b, d), otherHigh = ZipHigh(b, d);
            ZipLow(low, otherLow).Store(to);
            ZipHigh(low, otherLow).Store(to + width);
            ZipLow(high, otherHigh).Store(to + (2 * width));
            ZipHigh(high, otherHigh).Store(to + (3 * width));
        }

        Gather(from + (k * step), pitch, step, 4, depth - k, to, width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Gather(float* from, long pitch, long step, int count, int depth, float* to, int width)
    {
        for (int k = 0; k < depth; k++, from += step, to += width)
        {
            for (int i = 0; i < count; i++)
            {
                to[i] = from[i * pitch];
            }
        }
    }

    // AVX unpacks within 128-bit halves: the upper half belongs to an input four further on.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Halves(Vector256<float> pair, float* to, int width)
    {
        pair.GetLower().Store(to);
        pair.GetUpper().Store(to + (4 * width));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipLow(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipHigh(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[2], b[2], a[3], b[3]);
}
