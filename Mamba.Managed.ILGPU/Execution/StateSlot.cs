namespace Mamba.Managed.ILGPU.Execution;

/// <summary>A state's place in the pool, which gets it back when the state is disposed or forgotten.</summary>
internal sealed class StateSlot(StatePool pool, int index) : IDisposable
{
    private int isReturned;

    // Freeing a device takes long and may wait for a call that uses it: nothing for the thread of finalizers.
    ~StateSlot() => ThreadPool.UnsafeQueueUserWorkItem(static slot => slot.Return(), this, preferLocal: false);

    /// <summary>Its number in the pool.</summary>
    public int Index { get; } = index;

    /// <summary>Whether the pool has it back.</summary>
    public bool IsReturned => Volatile.Read(ref isReturned) != 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        Return();
        GC.SuppressFinalize(this);
    }

    private void Return()
    {
        if (Interlocked.Exchange(ref isReturned, 1) == 0)
        {
            pool.Return(Index);
        }
    }
}
