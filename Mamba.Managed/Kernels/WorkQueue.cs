using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>Work items of a product with work stealing: every worker owns a range of them, and takes items of others when its own are done.</summary>
/// <param name="taken">How many items have been taken from each worker's range; the counters are a cache line apart to avoid false sharing.</param>
/// <param name="worker">The calling worker.</param>
/// <param name="count">Items of all workers together.</param>
internal readonly unsafe struct WorkQueue(int* taken, Worker worker, int count)
{
    /// <summary>Distance between the counters of two workers.</summary>
    public const int Pitch = Prefetch.LineBytes / sizeof(int);

    /// <summary>The next item, or -1 if all are taken.</summary>
    public int Take()
    {
        for (int i = 0; i < worker.Count; i++)
        {
            int owner = (worker.Index + i) % worker.Count;
            (int start, int end) = new Worker(null, owner, worker.Count).Range(count);
            int* from = taken + (owner * Pitch);
            for (int n = Volatile.Read(ref *from); n < end - start; n = Volatile.Read(ref *from))
            {
                if (Interlocked.CompareExchange(ref *from, n + 1, n) == n)
                {
                    return start + n;
                }
            }
        }

        return -1;
    }
}
