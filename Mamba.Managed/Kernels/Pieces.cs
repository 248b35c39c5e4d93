using Mamba.Managed.Execution;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Pieces of a product, a range of them for each worker of a group: who is through with its own takes from those who are not.</summary>
/// <remarks>
/// The same pieces are there again for each block of rows. A worker goes on to the next block when none of this one is left, so the number of
/// pieces taken from a range says of which block the next one is.
/// </remarks>
/// <param name="taken">Pieces taken from the range of each worker, a cache line apart.</param>
/// <param name="worker">Who takes, and how many are in the group.</param>
/// <param name="count">Pieces of a block.</param>
internal readonly unsafe struct Pieces(int* taken, Worker worker, int count)
{
    /// <summary>Numbers from one worker's to the next.</summary>
    public const int Pitch = Prefetch.LineBytes / sizeof(int);

    /// <summary>The next piece of a block of rows, or -1 if all are taken.</summary>
    public int Next(int block)
    {
        for (int i = 0; i < worker.Count; i++)
        {
            int owner = (worker.Index + i) % worker.Count;
            (int start, int end) = new Worker(null, owner, worker.Count).Range(count);
            int* from = taken + (owner * Pitch);
            for (int n = Volatile.Read(ref *from); n < (block + 1) * (end - start); n = Volatile.Read(ref *from))
            {
                if (Interlocked.CompareExchange(ref *from, n + 1, n) == n)
                {
                    return start + n - (block * (end - start));
                }
            }
        }

        return -1;
    }
}
