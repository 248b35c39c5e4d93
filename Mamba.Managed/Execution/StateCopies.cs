using Mamba.Managed.Models;

namespace Mamba.Managed.Execution;

/// <summary>Copies of states made before a call, to restore them if it fails.</summary>
/// <remarks>A <see cref="CpuState"/> at the beginning of a text needs no copy: clearing it restores it.</remarks>
internal sealed class StateCopies : IDisposable
{
    private readonly IMambaExecutor executor;
    private readonly SequenceState[] states;
    private readonly SequenceState?[] copies;

    /// <summary>Copies states.</summary>
    /// <param name="executor">The executor of the states.</param>
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

    /// <summary>Restores the states; one that has been disposed meanwhile is skipped.</summary>
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
                // Its owner has disposed it: nothing to restore.
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
