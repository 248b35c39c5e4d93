using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>y = x W^T + bias for rows x against a packed matrix W.</summary>
/// <remarks>
/// Every entry of y is one chain of fused multiply-adds over the inputs in ascending order, whatever the tile, the width or the number of
/// rows: a row gives the same bits alone and in any batch. The bias is added last.
/// One row reads its panels straight from memory. Several go through a tile, <see cref="FloatGemm"/> or <see cref="QuantizedGemm"/>.
/// Workers take their parts as <see cref="WorkQueue"/>: who computes an output leaves no trace in it, and on a shared machine one processor may be
/// far slower than the next.
/// </remarks>
internal static unsafe class MatrixProduct
{
    private const int Width = PackedMatrix.PanelWidth;

    /// <summary>Room for the rows and weights that the workers put in order.</summary>
    /// <param name="workers">Workers that compute together.</param>
    /// <param name="rows">Rows of the largest product, until <see cref="Reserve"/> makes more room.</param>
    /// <param name="inputs">Inputs of the largest product, likewise.</param>
    public static GemmScratch CreateScratch(int workers, int rows = 0, int inputs = 0)
    {
        GemmScratch scratch = new(workers, Math.Max(FloatGemm.OwnLength, QuantizedGemm.OwnLength));
        Reserve(scratch, rows, inputs);
        return scratch;
    }

    /// <summary>Makes room for products of some size, their last tile filled up, and forgets one that failed; called while no worker runs.</summary>
    public static void Reserve(GemmScratch scratch, int rows, int inputs) => scratch.Reserve((rows + QuantizedGemm.TileRows - 1) * inputs);

    /// <summary>Computes this worker's share of the product; all workers call it, and a barrier must follow before y is read.</summary>
    /// <param name="worker">Who computes.</param>
    /// <param name="scratch">As of <see cref="CreateScratch"/>, for all workers.</param>
    /// <param name="x">[rows, inputs] with a pitch of <paramref name="xPitch"/>.</param>
    /// <param name="xPitch">Distance between rows of x.</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="bias">[outputs] or empty.</param>
    /// <param name="y">[rows, outputs] with a pitch of <paramref name="yPitch"/>; must not overlap x.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="yPitch">Distance between rows of y; 0 where nothing is between them.</param>
    /// <param name="fixedShares">
    /// Whether of a single row each worker computes just the outputs that <see cref="Worker.Range"/> gives it, to go on with them without a barrier.
    /// </param>
    public static void Forward(
        Worker worker, GemmScratch scratch, ReadOnlySpan<float> x, int xPitch, PackedMatrix weight, ReadOnlySpan<float> bias, Span<float> y, int rows,
        int yPitch = 0, bool fixedShares = false)
    {
        yPitch = yPitch == 0 ? weight.Outputs : yPitch;
        if (yPitch < weight.Outputs)
        {
            Throw.Argument(Throw.Invariant($"expected at least {weight.Outputs}, the outputs of a row, found {yPitch}"), nameof(yPitch));
        }

        Throw.UnlessLength(((rows - 1) * yPitch) + weight.Outputs, y.Length);
        Throw.UnlessLength(bias.IsEmpty ? 0 : weight.Outputs, bias.Length);
        if (rows == 0 || xPitch < weight.Inputs || x.Length < ((rows - 1) * xPitch) + weight.Inputs)
        {
            Throw.Argument(Throw.Invariant($"expected {rows} rows of {weight.Inputs} with a pitch of {xPitch}, found {x.Length} elements"), nameof(x));
        }

        fixed (float* input = x, output = y, add = bias)
        {
            Share(
                worker,
                scratch,
                new MatrixView(input, rows, weight.Inputs, xPitch),
                weight,
                add,
                new MatrixView(output, rows, weight.Outputs, yPitch),
                fixedShares);
        }

        GC.KeepAlive(weight);
    }

    private static void Share(Worker worker, GemmScratch scratch, MatrixView x, PackedMatrix weight, float* bias, MatrixView y, bool fixedShares)
    {
        if (x.Rows == 1 || (x.Rows <= QuantizedGemm.GemvRows && weight.Blocks is not null))
        {
            if (fixedShares || worker.Count == 1)
            {
                Gemv((int*)scratch.Of(worker), x, weight, bias, y, worker.Range(weight.Panels), isPacked: false);
            }
            else
            {
                QueuedGemv(worker, scratch, x, weight, bias, y);
            }

            return;
        }

        if (weight.Blocks is { } blocks)
        {
            QuantizedGemm.Run(worker, scratch, x, weight, blocks, bias, y);
        }
        else
        {
            FloatGemm.Run(worker, scratch, x, weight, weight.Floats!, bias, y);
        }
    }

    /// <summary>Adds the bias to the outputs of some panels.</summary>
    internal static void AddBias(float* bias, MatrixView y, int row, int firstPanel, int lastPanel)
    {
        int first = firstPanel * Width, count = Math.Min(lastPanel * Width, y.Columns) - first;
        if (bias is not null && count > 0)
        {
            Span<float> outputs = new(y.At(row, first), count);
            TensorPrimitives.Add(outputs, new ReadOnlySpan<float>(bias + first, count), outputs);
        }
    }

    private static void QueuedGemv(Worker worker, GemmScratch scratch, MatrixView x, PackedMatrix weight, float* bias, MatrixView y)
    {
        // Six pieces or more for each worker, of as many panels as PanelGemv takes in step.
        int length = (weight.Panels / (6 * worker.Count)) switch { >= 4 => 4, >= 2 => 2, _ => 1 };
        WorkQueue queue = scratch.StartQueue(worker, (weight.Panels + length - 1) / length);
        bool isPacked = false;
        for (int item = queue.Take(); item >= 0; item = queue.Take())
        {
            int first = item * length;
            Gemv((int*)scratch.Of(worker), x, weight, bias, y, (first, Math.Min(first + length, weight.Panels)), isPacked);
            isPacked = true;
        }
    }

    private static void Gemv(int* left, MatrixView x, PackedMatrix weight, float* bias, MatrixView y, (int Start, int End) panels, bool isPacked)
    {
        if (panels.Start == panels.End)
        {
            return;
        }

        if (weight.Blocks is { } blocks)
        {
            QuantizedGemm.Gemv(left, x, weight, blocks, y, panels, isPacked);
        }
        else
        {
            FloatGemv(x.Start, weight, weight.Floats!, y.Start, panels);
        }

        for (int row = 0; row < x.Rows; row++)
        {
            AddBias(bias, y, row, panels.Start, panels.End);
        }
    }

    [SkipLocalsInit]
    private static void FloatGemv(float* x, PackedMatrix weight, FloatPanels kernels, float* y, (int Start, int End) panels)
    {
        int whole = Math.Min(panels.End, weight.Outputs / Width);
        if (panels.Start < whole)
        {
            kernels.Gemv(x, weight.Inputs, weight.Panel(panels.Start), whole - panels.Start, y + (panels.Start * Width));
        }

        if (whole < panels.End)
        {
            float* edge = stackalloc float[Width];
            kernels.Gemv(x, weight.Inputs, weight.Panel(whole), 1, edge);
            int first = whole * Width, count = weight.Outputs - first;
            new ReadOnlySpan<float>(edge, count).CopyTo(new Span<float>(y + first, count));
        }
    }
}
