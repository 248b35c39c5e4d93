using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>y = x W^T for several rows and weights that are floating-point numbers.</summary>
/// <remarks>
/// Through the tile of <see cref="GeneralGemm"/>: rows are put in order, unless only few panels pass by, and panels are unpacked where their
/// weights are not floats.
/// </remarks>
internal static unsafe class FloatGemm
{
    private const int Width = PackedMatrix.PanelWidth;

    // So few panels are over, or so few rows, before rows in order have paid for themselves: rows are read where they lie.
    private const int FewPanels = 8;
    private const int FewRows = 16;

    /// <summary>Floats that a worker needs for two panels.</summary>
    public const int OwnLength = BlockedGemm.ItemPanels * Width * BlockedGemm.MostInputs;

    /// <summary>Computes this worker's share of the product.</summary>
    /// <param name="worker">Who computes.</param>
    /// <param name="scratch">That of all workers.</param>
    /// <param name="x">[rows, inputs]</param>
    /// <param name="weight">[outputs, inputs]</param>
    /// <param name="kernels">Those of the weights.</param>
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

    // Without memory for rows in order they are read where they lie.
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
