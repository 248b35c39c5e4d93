using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Execution;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>y = x W^T + bias for rows x against a packed matrix W.</summary>
/// <remarks>
/// Every entry of y is one chain of fused multiply-adds over the inputs in ascending order, whatever the tile, the width or the number of
/// rows: a row gives the same bits alone and in any batch. The bias is added last.
/// </remarks>
internal static unsafe class MatrixProduct
{
    private const int Width = PackedMatrix.PanelWidth;
    private const int TileRows = 6;

    // 16 tiles of 6 rows: their inputs stay in the second-level cache while all panels pass by.
    private const int BlockRows = 96;

    /// <summary>Computes this worker's share of the product; a barrier must follow before y is read.</summary>
    /// <param name="worker">Who computes: rows are shared out where there are many, outputs where there are few.</param>
    /// <param name="x">[rows, inputs] with a pitch of <paramref name="xPitch"/>.</param>
    /// <param name="xPitch">Distance between rows of x.</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="bias">[outputs] or empty.</param>
    /// <param name="y">[rows, outputs], tightly packed; must not overlap x.</param>
    /// <param name="rows">How many rows.</param>
    public static void Forward(
        Worker worker, ReadOnlySpan<float> x, int xPitch, PackedMatrix weight, ReadOnlySpan<float> bias, Span<float> y, int rows)
    {
        Throw.UnlessLength(rows * weight.Outputs, y.Length);
        Throw.UnlessLength(bias.IsEmpty ? 0 : weight.Outputs, bias.Length);
        if (rows == 0 || xPitch < weight.Inputs || x.Length < ((rows - 1) * xPitch) + weight.Inputs)
        {
            Throw.Argument(Throw.Invariant($"expected {rows} rows of {weight.Inputs} with a pitch of {xPitch}, found {x.Length} elements"), nameof(x));
        }

        (int Start, int End) panels = (0, weight.Panels);
        (int Start, int End) range = (0, rows);
        if (rows >= 2 * TileRows * worker.Count)
        {
            range = worker.Range(rows, TileRows);
        }
        else
        {
            panels = worker.Range(weight.Panels);
        }

        fixed (float* input = x, output = y, add = bias)
        {
            for (int start = range.Start; start < range.End; start += BlockRows)
            {
                int end = Math.Min(start + BlockRows, range.End);
                for (int panel = panels.Start; panel < panels.End; panel++)
                {
                    fixed (float* w = weight.Panel(panel))
                    {
                        Product product = new(input, xPitch, w, weight.Inputs, output, weight.Outputs, add, panel * Width);
                        product.Rows(start, end);
                    }
                }
            }
        }
    }

    /// <summary>One panel against some rows.</summary>
    private readonly struct Product(float* x, int xPitch, float* panel, int inputs, float* y, int outputs, float* bias, int column)
    {
        public void Rows(int start, int end)
        {
            float* tile = stackalloc float[TileRows * Width];
            int row = start;
            for (; row + TileRows <= end; row += TileRows)
            {
                SixRows(x + ((long)row * xPitch), tile);
                Write(tile, row, TileRows);
            }

            for (; row < end; row++)
            {
                OneRow(x + ((long)row * xPitch), tile);
                Write(tile, row, 1);
            }
        }

        // 512-bit tiles gained nothing over 256-bit ones where both were measured, so the widest tile is 256 bits.
        private void SixRows(float* rows, float* tile)
        {
            if (InstructionSets.Current >= InstructionSet.Avx2)
            {
                SixRows<Lanes256, Vector256<float>>(rows, tile);
            }
            else if (InstructionSets.Current == InstructionSet.Vector128)
            {
                SixRows<Lanes128, Vector128<float>>(rows, tile);
            }
            else
            {
                SixRows<LanesScalar, float>(rows, tile);
            }
        }

        private void OneRow(float* row, float* tile)
        {
            if (InstructionSets.Current >= InstructionSet.Avx2)
            {
                OneRow<Lanes256, Vector256<float>>(row, tile);
            }
            else if (InstructionSets.Current == InstructionSet.Vector128)
            {
                OneRow<Lanes128, Vector128<float>>(row, tile);
            }
            else
            {
                OneRow<LanesScalar, float>(row, tile);
            }
        }

        // Twelve accumulators as separate locals, two vectors of outputs for each of six rows: enough chains to hide the latency of the
        // fused multiply-add, few enough for sixteen registers.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void SixRows<L, V>(float* rows, float* tile)
            where L : struct, ILanes<V>
        {
            for (int at = 0; at < Width; at += 2 * L.Count)
            {
                V a0 = L.Broadcast(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0, e0 = a0, e1 = a0, f0 = a0, f1 = a0;
                float* w = panel + at;
                float* r = rows;
                nint pitch = xPitch;
                float* s = rows + (3 * pitch);
                for (int k = inputs; k > 0; k--)
                {
                    V w0 = L.Load(w);
                    V w1 = L.Load(w + L.Count);
                    V value = L.Broadcast(r[0]);
                    a0 = L.MultiplyAdd(value, w0, a0);
                    a1 = L.MultiplyAdd(value, w1, a1);
                    value = L.Broadcast(r[pitch]);
                    b0 = L.MultiplyAdd(value, w0, b0);
                    b1 = L.MultiplyAdd(value, w1, b1);
                    value = L.Broadcast(r[2 * pitch]);
                    c0 = L.MultiplyAdd(value, w0, c0);
                    c1 = L.MultiplyAdd(value, w1, c1);
                    value = L.Broadcast(s[0]);
                    d0 = L.MultiplyAdd(value, w0, d0);
                    d1 = L.MultiplyAdd(value, w1, d1);
                    value = L.Broadcast(s[pitch]);
                    e0 = L.MultiplyAdd(value, w0, e0);
                    e1 = L.MultiplyAdd(value, w1, e1);
                    value = L.Broadcast(s[2 * pitch]);
                    f0 = L.MultiplyAdd(value, w0, f0);
                    f1 = L.MultiplyAdd(value, w1, f1);
                    w += Width;
                    r++;
                    s++;
                }

                float* t = tile + at;
                L.Store(t, a0);
                L.Store(t + L.Count, a1);
                L.Store(t + Width, b0);
                L.Store(t + Width + L.Count, b1);
                L.Store(t + (2 * Width), c0);
                L.Store(t + (2 * Width) + L.Count, c1);
                L.Store(t + (3 * Width), d0);
                L.Store(t + (3 * Width) + L.Count, d1);
                L.Store(t + (4 * Width), e0);
                L.Store(t + (4 * Width) + L.Count, e1);
                L.Store(t + (5 * Width), f0);
                L.Store(t + (5 * Width) + L.Count, f1);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void OneRow<L, V>(float* row, float* tile)
            where L : struct, ILanes<V>
        {
            for (int at = 0; at < Width; at += 2 * L.Count)
            {
                V a0 = L.Broadcast(0), a1 = a0;
                float* w = panel + at;
                for (int k = 0; k < inputs; k++, w += Width)
                {
                    V value = L.Broadcast(row[k]);
                    a0 = L.MultiplyAdd(value, L.Load(w), a0);
                    a1 = L.MultiplyAdd(value, L.Load(w + L.Count), a1);
                }

                L.Store(tile + at, a0);
                L.Store(tile + at + L.Count, a1);
            }
        }

        private void Write(float* tile, int row, int count)
        {
            int width = Math.Min(Width, outputs - column);
            for (int i = 0; i < count; i++)
            {
                float* destination = y + ((long)(row + i) * outputs) + column;
                for (int j = 0; j < width; j++)
                {
                    destination[j] = bias is null ? tile[(i * Width) + j] : tile[(i * Width) + j] + bias[column + j];
                }
            }
        }
    }
}
