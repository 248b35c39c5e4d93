using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>WorkQueue of a product, a range of them for each worker: who is through with its own takes from those who are not.</summary>
/// <param name="taken">WorkQueue taken from the range of each worker, a cache line apart.</param>
/// <param name="worker">Who takes.</param>
/// <param name="count">WorkQueue of all workers.</param>
internal readonly unsafe struct WorkQueue(int* taken, Worker worker, int count)
{
    /// <summary>Numbers from one worker's to the next.</summary>
    public const int Pitch = Prefetch.LineBytes / sizeof(int);

    /// <summary>The next piece, or -1 if all are taken.</summary>
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
