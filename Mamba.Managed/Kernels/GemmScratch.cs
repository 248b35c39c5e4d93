using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>What workers need while they compute products: room of their own, rows in order that all of them read, and pieces to take.</summary>
/// <remarks>
/// There are two sets of counters of pieces. While one is in use each worker sets its part of the other to zero for the next product. A barrier
/// lies between two products that are dealt out, so a set is out of use when it is set to zero.
/// </remarks>
/// <param name="workers">Workers that compute together.</param>
/// <param name="length">Floats that each has for itself.</param>
internal sealed unsafe class GemmScratch(int workers, int length) : IDisposable
{
    private readonly TensorBuffer own = TensorBuffer.Allocate((long)workers * length * sizeof(float), clear: false);
    private readonly TensorBuffer counters = TensorBuffer.Allocate(3L * workers * WorkQueue.Pitch * sizeof(int));
    private readonly Activations rows = new(7);

    /// <summary>Rows in order, for all workers.</summary>
    /// <param name="count">Floats that are needed, no more than were reserved.</param>
    public float* Rows(int count)
    {
        _ = rows.Slice(0, count);
        return rows.Start;
    }

    /// <summary>The worker's own room.</summary>
    public float* Of(Worker worker) => (float*)own.Pointer + ((long)worker.Index * length);

    /// <summary>Makes room for rows, and forgets a product that failed half way; called while no worker runs.</summary>
    /// <param name="count">Floats that <see cref="Rows"/> gives at most.</param>
    public void Reserve(int count)
    {
        rows.Reserve(count);
        counters.Span<int>(0, 3 * workers * WorkQueue.Pitch).Clear();
    }

    /// <summary>Begins a product whose pieces are dealt out; every worker calls it once for each such product.</summary>
    /// <param name="worker">Who computes.</param>
    /// <param name="count">WorkQueue.</param>
    public WorkQueue StartQueue(Worker worker, int count)
    {
        int* products = (int*)counters.Pointer + (worker.Index * WorkQueue.Pitch);
        int set = ++*products & 1, pitch = workers * WorkQueue.Pitch;
        products[(2 - set) * pitch] = 0;
        return new WorkQueue((int*)counters.Pointer + ((1 + set) * pitch), worker, count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        own.Dispose();
        counters.Dispose();
        rows.Dispose();
    }
}
