using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using CommunityToolkit.HighPerformance;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>y = x W^T + bias for rows x against a packed matrix W.</summary>
/// <remarks>
/// Every entry of y is one chain of fused multiply-adds over the inputs in ascending order, whatever the tile, the vector width or the number of
/// rows: a row gives the same bits alone and in any batch. The bias is added last.
/// <para/>
/// One row is a gemv, which streams the panels from memory once. Several rows are a gemm, <see cref="FloatGemm"/> or <see cref="QuantizedGemm"/>.
/// Workers share the panels by work stealing (<see cref="WorkQueue"/>), because on a shared machine one core may be far slower than another. The result
/// stays deterministic: each output is computed by one worker in a fixed order, whichever worker that is.
/// </remarks>
internal static unsafe class MatrixProduct
{
    private const int Width = PackedMatrix.PanelWidth;

    /// <summary>Scratch memory for packed rows and unpacked weights.</summary>
    /// <param name="workers">Workers that compute together.</param>
    /// <param name="rows">Rows of the largest product, until <see cref="Reserve"/> is called with more.</param>
    /// <param name="inputs">Inputs of the largest product, likewise.</param>
    public static GemmScratch CreateScratch(int workers, int rows = 0, int inputs = 0)
    {
        GemmScratch scratch = new(workers, Math.Max(FloatGemm.OwnLength, QuantizedGemm.OwnLength));
        Reserve(scratch, rows, inputs);
        return scratch;
    }

    /// <summary>Grows the scratch for products of a size, rounded up to whole tiles, and drops the state of a product that failed half way.</summary>
    /// <remarks>Must not be called while a worker runs.</remarks>
    public static void Reserve(GemmScratch scratch, int rows, int inputs) => scratch.Reserve(checked((rows + QuantizedGemm.TileRows - 1) * inputs));

    /// <summary>Computes the product on the calling thread, some rows at a time.</summary>
    /// <param name="x">[rows, inputs]</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="bias">[outputs] or empty.</param>
    /// <param name="y">[rows, outputs]; must not overlap <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">The shapes do not agree.</exception>
    public static void Forward(ReadOnlySpan2D<float> x, PackedMatrix weight, ReadOnlySpan<float> bias, Span2D<float> y)
    {
        SpanRows.Require(x, x.Height, weight.Inputs);
        Throw.UnlessLength(bias.IsEmpty ? 0 : weight.Outputs, bias.Length);
        SpanRows.Require(y, x.Height, weight.Outputs);
        if (x.Height == 0)
        {
            return;
        }

        int chunk = SpanRows.ChunkOf(weight.Inputs);
        long xPitch = x.Pitch(), yPitch = ((ReadOnlySpan2D<float>)y).Pitch();
        using GemmScratch scratch = CreateScratch(1, Math.Min(x.Height, chunk), weight.Inputs);
        fixed (float* input = x, output = y, add = bias)
        {
            for (int row = 0; row < x.Height; row += chunk)
            {
                int rows = Math.Min(chunk, x.Height - row);
                MatrixView from = new(input + (row * xPitch), rows, weight.Inputs, xPitch), to = new(output + (row * yPitch), rows, weight.Outputs, yPitch);
                Share(Worker.Alone, scratch, from, weight, add, to, fixedShares: false);
            }
        }

        GC.KeepAlive(weight);
    }

    /// <summary>Computes this worker's share of the product; all workers call it, and a barrier must follow before y is read.</summary>
    /// <param name="worker">The calling worker.</param>
    /// <param name="scratch">From <see cref="CreateScratch"/>, shared by all workers.</param>
    /// <param name="x">[rows, inputs] with a pitch of <paramref name="xPitch"/>.</param>
    /// <param name="xPitch">Distance between rows of x.</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="bias">[outputs] or empty.</param>
    /// <param name="y">[rows, outputs] with a pitch of <paramref name="yPitch"/>; must not overlap x.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="yPitch">Distance between rows of y; 0 for contiguous rows.</param>
    /// <param name="fixedShares">
    /// For a single row: each worker computes exactly the outputs that <see cref="Worker.Range"/> assigns to it, so that it can use them without a barrier.
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

        Throw.UnlessLength(((rows - 1L) * yPitch) + weight.Outputs, y.Length);
        Throw.UnlessLength(bias.IsEmpty ? 0 : weight.Outputs, bias.Length);
        if (rows == 0 || xPitch < weight.Inputs || x.Length < ((rows - 1L) * xPitch) + weight.Inputs)
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
        // At least six items for each worker, each of as many panels as PanelGemv interleaves.
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
