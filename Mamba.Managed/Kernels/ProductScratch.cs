using Mamba.Managed.Execution;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Kernels;

/// <summary>What workers share while they compute products: room for the blocks of both sides that each puts in order, and pieces to take.</summary>
/// <remarks>
/// There are two sets of counters of pieces. While one is in use each worker sets its part of the other to zero for the next product. A barrier
/// lies between two products that are dealt out, so a set is out of use when it is set to zero.
/// </remarks>
internal sealed unsafe class ProductScratch : IDisposable
{
    private readonly TensorBuffer buffer;
    private readonly TensorBuffer counters;
    private readonly int workers;
    private readonly int left;
    private readonly int right;

    /// <summary>Makes room.</summary>
    /// <param name="workers">Workers that compute together.</param>
    /// <param name="left">Floats of a block of the left side.</param>
    /// <param name="right">Floats of a block of the right side.</param>
    public ProductScratch(int workers, int left, int right)
    {
        (this.workers, this.left, this.right) = (workers, left, right);
        buffer = TensorBuffer.Allocate((long)workers * (left + right) * sizeof(float), clear: false);
        counters = TensorBuffer.Allocate(3L * workers * Pieces.Pitch * sizeof(int));
    }

    /// <summary>The worker's block of the right side.</summary>
    public float* RightOf(Worker worker) => (float*)buffer.Pointer + ((long)worker.Index * (left + right));

    /// <summary>The worker's block of the left side.</summary>
    public float* LeftOf(Worker worker) => RightOf(worker) + right;

    /// <summary>Begins a product whose pieces are dealt out; every worker calls it once for each such product.</summary>
    /// <param name="worker">Who computes.</param>
    /// <param name="groups">Into how many groups of neighbours the workers are divided, each with pieces of its own.</param>
    /// <param name="count">Pieces of a group.</param>
    public Pieces Deal(Worker worker, int groups, int count)
    {
        int* products = (int*)counters.Pointer + (worker.Index * Pieces.Pitch), taken = products + (workers * Pieces.Pitch);
        int set = ++*products & 1, size = workers / groups, first = worker.Index / size * size;
        taken[(1 - set) * workers * Pieces.Pitch] = 0;
        return new Pieces(
            taken + (((set * workers) + first - worker.Index) * Pieces.Pitch), new Worker(null, worker.Index - first, size), count);
    }

    /// <summary>Forgets a product that failed half way; called while no worker runs.</summary>
    public void Restart() => counters.Span<int>(0, 3 * workers * Pieces.Pitch).Clear();

    /// <inheritdoc/>
    public void Dispose()
    {
        buffer.Dispose();
        counters.Dispose();
    }
}
