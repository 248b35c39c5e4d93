using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>The block operations of a gemm with packed weights.</summary>
internal interface IBlockedGemm
{
    /// <summary>Part <paramref name="index"/> when the rows are split into <paramref name="count"/> parts at tile boundaries.</summary>
    (int Start, int End) Part(int index, int count);

    /// <summary>Packs <paramref name="depth"/> inputs of some rows into memory that all workers read.</summary>
    void Pack((int Start, int End) rows, int k, int depth);

    /// <summary>Adds the products of a part of the rows with neighboring panels, over some inputs.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="k">The first input.</param>
    /// <param name="depth">How many inputs.</param>
    /// <param name="panels">The panels.</param>
    /// <param name="next">The panel and first input that this worker needs next, to be prefetched; the panel is negative if there is none.</param>
    void Multiply((int Start, int End) rows, int k, int depth, (int Start, int End) panels, (int Panel, int Input) next);
}

/// <summary>The loop over the blocks of a gemm, shared by all workers.</summary>
/// <remarks>
/// All workers first pack all rows together. Then they steal work: an item is two panels times all rows over all inputs. Where there are too few panels
/// to keep all workers busy, an item is a part of the rows, or a single panel. So each weight is read and unpacked once for each part of the rows,
/// while packed rows come from the L3 cache.
/// </remarks>
internal static class BlockedGemm
{
    /// <summary>Panels of a work item: the width of the widest micro-kernel.</summary>
    public const int ItemPanels = 2;

    /// <summary>The largest block of inputs (kc). It is chosen long: spilling partial sums of C between blocks costs more than reading B from the L2 cache.</summary>
    public const int MostInputs = 6 * InputGrain;

    // A multiple of every format's block of weights.
    private const int InputGrain = 256;

    // Enough that a slow worker leaves some of its items to be stolen.
    private const int ItemsPerWorker = 8;

    // The fewest tiles of a part: with fewer rows, reading a panel takes longer than multiplying with it.
    private const int TilesPerPart = 4;

    /// <summary>Packs this worker's part of the rows and waits for the others.</summary>
    public static void Pack<T>(Worker worker, T product, int inputs)
        where T : struct, IBlockedGemm
    {
        (int Start, int End) rows = product.Part(worker.Index, worker.Count);
        int deepest = Deepest(inputs);
        for (int k = 0; k < inputs && rows.Start < rows.End; k += deepest)
        {
            product.Pack(rows, k, Math.Min(deepest, inputs - k));
        }

        worker.Barrier();
    }

    /// <summary>Computes work items until none is left.</summary>
    /// <param name="worker">The calling worker.</param>
    /// <param name="scratch">Shared by all workers.</param>
    /// <param name="product">The product.</param>
    /// <param name="tiles">Tiles of rows.</param>
    /// <param name="inputs">Inputs.</param>
    /// <param name="panels">Panels of the matrix.</param>
    public static void Multiply<T>(Worker worker, GemmScratch scratch, T product, int tiles, int inputs, int panels)
        where T : struct, IBlockedGemm
    {
        int wanted = worker.Count == 1 ? 1 : ItemsPerWorker * worker.Count, mostParts = Math.Max(tiles / TilesPerPart, 1), deepest = Deepest(inputs);

        // With fewer pairs of panels than workers, an item is a single panel, so that fewer workers stay idle.
        int width = panels * mostParts < ItemPanels * worker.Count ? 1 : ItemPanels, across = (panels + width - 1) / width;
        int parts = Math.Clamp((wanted + across - 1) / across, 1, mostParts);
        WorkQueue queue = scratch.StartQueue(worker, parts * across);
        for (int item = queue.Take(), next; item >= 0; item = next)
        {
            // Taken before this item is computed, so that its panels can be prefetched.
            next = queue.Take();
            int first = item % across * width;
            (int Start, int End) rows = product.Part(item / across, parts);
            for (int k = 0; k < inputs; k += deepest)
            {
                int depth = Math.Min(deepest, inputs - k);
                product.Multiply(
                    rows,
                    k,
                    depth,
                    (first, Math.Min(first + width, panels)),
                    k + depth < inputs ? (first, k + depth) : (next < 0 ? -1 : next % across * width, 0));
            }
        }
    }

    // Blocks of equal size: a small last one would stream all panels for little work.
    private static int Deepest(int inputs) => GeneralGemm.EvenBlock(inputs, MostInputs, InputGrain);
}
