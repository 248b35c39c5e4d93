using Mamba.Managed.Models;

namespace Mamba.Managed.Execution;

/// <summary>Copies of some states before a call, so that one that fails on its way leaves them as they were.</summary>
internal sealed class StateCopies : IDisposable
{
    private readonly IMambaExecutor executor;
    private readonly SequenceState[] states;
    private readonly SequenceState[] copies;

    /// <summary>Copies states.</summary>
    /// <param name="executor">Whose states they are.</param>
    /// <param name="states">Not null.</param>
    public StateCopies(IMambaExecutor executor, ReadOnlySpan<SequenceState> states)
    {
        this.executor = executor;
        this.states = states.ToArray();
        copies = new SequenceState[states.Length];
        try
        {
            for (int i = 0; i < copies.Length; i++)
            {
                copies[i] = executor is CpuExecutor cpu ? cpu.Borrow() : executor.CreateState();
                copies[i].CopyFrom(this.states[i]);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Makes the states what they were. One that has been disposed meanwhile needs nothing.</summary>
    public void Restore()
    {
        for (int i = 0; i < copies.Length; i++)
        {
            try
            {
                states[i].CopyFrom(copies[i]);
            }
            catch (ObjectDisposedException)
            {
                // Its owner wants it no more.
            }
        }
    }

    /// <summary>Frees the copies.</summary>
    public void Dispose()
    {
        foreach (SequenceState? copy in copies)
        {
            if (executor is CpuExecutor cpu && copy is CpuState state)
            {
                cpu.Return(state);
            }
            else
            {
                copy?.Dispose();
            }
        }
    }
}
