using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>Gemm with floating-point weights: y = x W^T for several rows.</summary>
/// <remarks>
/// Uses the block loop of <see cref="GeneralGemm"/> with x as A and the panels as B. Rows are packed unless there are too few panels to repay it;
/// 16-bit panels are converted to single precision, one block at a time.
/// </remarks>
internal static unsafe class FloatGemm
{
    private const int Width = PackedMatrix.PanelWidth;

    // With at most this many panels or rows, packing A costs more than it saves: the micro-kernel reads the rows with their stride.
    private const int FewPanels = 8;
    private const int FewRows = 16;

    /// <summary>Floats of scratch for each worker: two converted panels.</summary>
    public const int OwnLength = BlockedGemm.ItemPanels * Width * BlockedGemm.MostInputs;

    /// <summary>Computes this worker's share of the product.</summary>
    /// <param name="worker">The calling worker.</param>
    /// <param name="scratch">Shared by all workers.</param>
    /// <param name="x">[rows, inputs]</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="kernels">The kernels for the type of the weights.</param>
    /// <param name="bias">[outputs] or null.</param>
    /// <param name="y">[rows, outputs]</param>
    public static void Run(Worker worker, GemmScratch scratch, MatrixView x, PackedMatrix weight, FloatPanels kernels, float* bias, MatrixView y)
    {
        bool isStrided = weight.Panels <= FewPanels || x.Rows <= FewRows;
        Blocks product = new(isStrided ? null : scratch.Rows(x.Rows * x.Columns), scratch.Of(worker), x, weight, kernels, bias, y);
        if (!isStrided)
        {
            BlockedGemm.Pack(worker, product, x.Columns);
        }

        BlockedGemm.Multiply(worker, scratch, product, MicroKernel.Parts(x.Rows), x.Columns, weight.Panels);
    }

    // A null buffer for packed rows means that rows are read in place.
    private readonly struct Blocks(
        float* packed, float* right, MatrixView x, PackedMatrix weight, FloatPanels kernels, float* bias, MatrixView y) : IBlockedGemm
    {
        public (int Start, int End) Part(int index, int count) => MicroKernel.Part(x.Rows, index, count);

        public void Pack((int Start, int End) rows, int k, int depth) =>
            GemmPacking.Rows(x, rows.Start, rows.End - rows.Start, k, depth, At(rows.Start, k, depth));

        public void Multiply((int Start, int End) rows, int k, int depth, (int Start, int End) panels, (int Panel, int Input) next)
        {
            float* left = packed is null ? x.At(rows.Start, k) : At(rows.Start, k, depth);
            nint pitch = packed is null ? (nint)x.RowPitch : 0;
            for (int at = panels.Start, count; at < panels.End; at += count)
            {
                count = Math.Min(MicroKernel.WidestPanels, panels.End - at);
                float* w = kernels.Unpack(weight.Panel(at), k, depth, right);
                float* last = count == 1 ? w : kernels.Unpack(weight.Panel(at + 1), k, depth, right + (depth * Width));
                (int panel, int input) = at + count < panels.End ? (at + count, k) : next;
                PanelPrefetch ahead = panel < 0 ? default : new(
                    weight.Panel(panel) + kernels.PanelBytes(input), kernels.PanelBytes(x.Columns), kernels.PanelBytes(depth));
                int column = at * Width, width = Math.Min(count * Width, y.Columns - column);
                GeneralGemm.Block(left, pitch, w, (nint)(last - w), depth, y, rows.Start, rows.End - rows.Start, column, width, k > 0, ahead);
            }

            for (int row = rows.Start; k + depth == x.Columns && row < rows.End; row++)
            {
                MatrixProduct.AddBias(bias, y, row, panels.Start, panels.End);
            }
        }

        // [inputs / depth, rows, depth]
        private float* At(int row, int k, int depth) => packed + ((long)k * x.Rows) + ((long)row * depth);
    }
}
