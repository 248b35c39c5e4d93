using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>The states of all sequences in one buffer, a slot each. Used by one thread at a time, but for <see cref="Return"/>.</summary>
/// <param name="session">Where it lies.</param>
/// <param name="stateLength">Numbers of a state.</param>
internal sealed class StatePool(GpuSession session, long stateLength) : IDisposable
{
    private const int FirstSlots = 8;

    private readonly Lock gate = new();
    private readonly Stack<int> free = [];
    private MemoryBuffer1D<float, Stride1D.Dense>? buffer;
    private Action? whenEmpty;
    private int slots;
    private int used;

    /// <summary>[slots, <see cref="StateLength"/>]. A pool that grows moves: whoever keeps the view, in a recorded graph say, compares it before each use.</summary>
    public ArrayView<float> View => buffer is null ? ArrayView<float>.Empty : buffer.View;

    /// <summary>Numbers of a state.</summary>
    public long StateLength { get; } = stateLength;

    /// <summary>The state in a slot.</summary>
    public ArrayView<float> this[int slot] => View.SubView(slot * StateLength, StateLength);

    /// <summary>Takes a slot, zeroed; the pool grows where none is free.</summary>
    /// <exception cref="GpuException">The device has too little memory.</exception>
    public int Take()
    {
        int slot;
        while (!TryTake(out slot))
        {
            Grow();
        }

        session.Clear(this[slot]);
        return slot;
    }

    /// <summary>Gives a slot back, from any thread; what runs meanwhile may still write it, since the next taker's work comes after it.</summary>
    public void Return(int slot)
    {
        Action? empty;
        lock (gate)
        {
            free.Push(slot);
            empty = --used == 0 ? whenEmpty : null;
        }

        empty?.Invoke();
    }

    /// <summary>Does something once every slot has been given back, which is now or later, on whatever thread gives back the last.</summary>
    public void WhenEmpty(Action action)
    {
        lock (gate)
        {
            whenEmpty = action;
            if (used > 0)
            {
                return;
            }
        }

        action();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (buffer is not null)
        {
            session.Release(buffer);
            buffer = null;
        }
    }

    private bool TryTake(out int slot)
    {
        lock (gate)
        {
            bool isFree = free.TryPop(out slot);
            used += isFree ? 1 : 0;
            return isFree;
        }
    }

    private void Grow()
    {
        int more = Math.Max(slots * 2, FirstSlots);
        MemoryBuffer1D<float, Stride1D.Dense> larger = session.Allocate<float>(more * StateLength);
        if (buffer is not null)
        {
            buffer.View.CopyTo(session.Stream, larger.View.SubView(0, buffer.Length));
            session.Synchronize();
            session.Release(buffer);
        }

        buffer = larger;
        lock (gate)
        {
            for (int slot = more - 1; slot >= slots; slot--)
            {
                free.Push(slot);
            }
        }

        slots = more;
    }
}
