using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>A product of several rows with a packed matrix, a block at a time.</summary>
internal interface IBlockedGemm
{
    /// <summary>One of some parts into which the rows are cut, where a tile begins.</summary>
    (int Start, int End) Part(int index, int count);

    /// <summary>Puts some inputs of a part of the rows in order, for all workers.</summary>
    void Pack((int Start, int End) rows, int k, int depth);

    /// <summary>Adds the products of a part of the rows with neighboring panels, over some inputs.</summary>
    /// <param name="rows">The part.</param>
    /// <param name="k">The first input.</param>
    /// <param name="depth">How many inputs.</param>
    /// <param name="panels">The panels.</param>
    /// <param name="next">The panel and its input that are needed after these; the panel is less than 0 if there is none.</param>
    void Multiply((int Start, int End) rows, int k, int depth, (int Start, int End) panels, (int Panel, int Input) next);
}

/// <summary>Walks over the blocks of a product together with other workers.</summary>
/// <remarks>
/// All rows are put in order once, by all workers. Then each takes pieces: two panels with all rows over all inputs; where panels are few, with a
/// part of the rows, or a single panel. So each weight is read and unpacked once, or once a part, while rows come from the third-level cache.
/// </remarks>
internal static class BlockedGemm
{
    /// <summary>Panels of a item, unless they are few: what the widest tile takes.</summary>
    public const int ItemPanels = 2;

    /// <summary>Inputs of a block at most: sums that leave the registers half way cost more than a panel that comes from the second-level cache.</summary>
    public const int MostInputs = 6 * InputGrain;

    // A multiple of every format's block of weights.
    private const int InputGrain = 256;

    // Enough for a worker that is slower than others to leave some to them.
    private const int ItemsPerWorker = 8;

    // What a part has at least: for a few rows reading a panel takes longer than its products, so one worker does all of them.
    private const int TilesPerPart = 4;

    /// <summary>Puts this worker's part of the rows in order and waits for the others.</summary>
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

    /// <summary>Computes the pieces that this worker gets.</summary>
    /// <param name="worker">Who computes.</param>
    /// <param name="scratch">That of all workers.</param>
    /// <param name="product">What to compute.</param>
    /// <param name="tiles">Tiles that the rows make.</param>
    /// <param name="inputs">Inputs.</param>
    /// <param name="panels">Panels of the matrix.</param>
    public static void Multiply<T>(Worker worker, GemmScratch scratch, T product, int tiles, int inputs, int panels)
        where T : struct, IBlockedGemm
    {
        int wanted = worker.Count == 1 ? 1 : ItemsPerWorker * worker.Count, mostParts = Math.Max(tiles / TilesPerPart, 1), deepest = Deepest(inputs);

        // Where there are fewer pairs than workers, panels go one by one: fewer workers have nothing to do.
        int width = panels * mostParts < ItemPanels * worker.Count ? 1 : ItemPanels, across = (panels + width - 1) / width;
        int parts = Math.Clamp((wanted + across - 1) / across, 1, mostParts);
        WorkQueue queue = scratch.StartQueue(worker, parts * across);
        for (int item = queue.Take(), next; item >= 0; item = next)
        {
            // Ahead of time, so that it can be fetched.
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

    // Blocks of equal size: no small one for which all panels pass by again.
    private static int Deepest(int inputs) => GeneralGemm.EvenBlock(inputs, MostInputs, InputGrain);
}
