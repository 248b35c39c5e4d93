using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>Memory of the workers that compute products together: a buffer for each, packed rows for all, and the counters of their work queue.</summary>
/// <remarks>
/// There are two sets of queue counters. While one is in use, each worker clears its part of the other for the next product. A barrier separates two
/// products that use the queue, so no worker uses a set while it is cleared.
/// </remarks>
/// <param name="workers">Workers that compute together.</param>
/// <param name="length">Floats of each worker's own buffer.</param>
internal sealed unsafe class GemmScratch(int workers, int length) : IDisposable
{
    private readonly TensorBuffer own = TensorBuffer.Allocate((long)workers * length * sizeof(float), clear: false);
    private readonly TensorBuffer counters = TensorBuffer.Allocate(3L * workers * WorkQueue.Pitch * sizeof(int));
    private readonly Activations rows = new(7);

    /// <summary>Memory for packed rows, shared by all workers.</summary>
    /// <param name="count">Floats that are needed, at most as many as were reserved.</param>
    public float* Rows(int count)
    {
        _ = rows.Slice(0, count);
        return rows.Start;
    }

    /// <summary>The worker's own buffer.</summary>
    public float* Of(Worker worker) => (float*)own.Pointer + ((long)worker.Index * length);

    /// <summary>Reserves memory for packed rows and resets the queue, which a product that failed half way may have left in use.</summary>
    /// <remarks>Must not be called while a worker runs.</remarks>
    /// <param name="count">The most floats that <see cref="Rows"/> will be asked for.</param>
    public void Reserve(int count)
    {
        rows.Reserve(count);
        counters.Span<int>(0, 3 * workers * WorkQueue.Pitch).Clear();
    }

    /// <summary>Starts the work queue of the next product; every worker calls it once for each product that uses the queue.</summary>
    /// <param name="worker">The calling worker.</param>
    /// <param name="count">Work items of the product.</param>
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
