using Mamba.Managed.Models;

namespace Mamba.Managed.Execution;

/// <summary>Copies of some states before a call, so that one that fails on its way leaves them as they were.</summary>
/// <remarks>A state of the processor at the beginning of a text needs no copy: it is cleared again.</remarks>
internal sealed class StateCopies : IDisposable
{
    private readonly IMambaExecutor executor;
    private readonly SequenceState[] states;
    private readonly SequenceState?[] copies;

    /// <summary>Copies states.</summary>
    /// <param name="executor">Whose states they are.</param>
    /// <param name="states">Not null.</param>
    public StateCopies(IMambaExecutor executor, ReadOnlySpan<SequenceState> states)
    {
        this.executor = executor;
        this.states = states.ToArray();
        copies = new SequenceState?[states.Length];
        try
        {
            for (int i = 0; i < copies.Length; i++)
            {
                if (this.states[i] is not CpuState { IsInitial: true })
                {
                    SequenceState copy = executor is CpuExecutor cpu ? cpu.Borrow() : executor.CreateState();
                    copies[i] = copy;
                    copy.CopyFrom(this.states[i]);
                }
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
                if (copies[i] is { } copy)
                {
                    states[i].CopyFrom(copy);
                }
                else
                {
                    states[i].Clear();
                }
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
