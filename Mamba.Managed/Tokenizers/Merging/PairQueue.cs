namespace Mamba.Managed.Tokenizers.Merging;

/// <summary>A binary heap of pairs of symbols: the lowest rank first, the leftmost among equals.</summary>
internal sealed class PairQueue(int capacity)
{
    // A rank above, a place below: the order of the numbers is that of the pairs.
    private ulong[] heap = new ulong[Math.Max(16, capacity)];
    private int count;
    private bool isOrdered;

    /// <summary>Adds a pair.</summary>
    public void Enqueue(int rank, int at)
    {
        if (count == heap.Length)
        {
            Array.Resize(ref heap, 2 * count);
        }

        heap[count++] = ((ulong)(uint)rank << 32) | (uint)at;
        if (isOrdered)
        {
            Rise(count - 1);
        }
    }

    /// <summary>Orders the pairs that were added before the first one is taken, in linear time.</summary>
    public void Order()
    {
        for (int i = (count / 2) - 1; i >= 0; i--)
        {
            Sink(i);
        }

        isOrdered = true;
    }

    /// <summary>Takes the first pair.</summary>
    /// <returns>False if there is none.</returns>
    public bool TryDequeue(out int rank, out int at)
    {
        if (count == 0)
        {
            (rank, at) = (0, 0);
            return false;
        }

        (rank, at) = ((int)(heap[0] >> 32), (int)(uint)heap[0]);
        heap[0] = heap[--count];
        Sink(0);
        return true;
    }

    private void Rise(int i)
    {
        ulong pair = heap[i];
        for (int parent = (i - 1) / 2; i > 0 && heap[parent] > pair; parent = (i - 1) / 2)
        {
            heap[i] = heap[parent];
            i = parent;
        }

        heap[i] = pair;
    }

    private void Sink(int i)
    {
        ulong pair = heap[i];
        for (int child = (2 * i) + 1; child < count; child = (2 * i) + 1)
        {
            child += child + 1 < count && heap[child + 1] < heap[child] ? 1 : 0;
            if (heap[child] >= pair)
            {
                break;
            }

            heap[i] = heap[child];
            i = child;
        }

        heap[i] = pair;
    }
}
