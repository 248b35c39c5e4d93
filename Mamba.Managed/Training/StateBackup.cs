using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>Copies of states, to restore them if a call fails. Their memory is reused from call to call.</summary>
/// <param name="config">The sizes of the states.</param>
internal sealed class StateBackup(MambaConfig config) : IDisposable
{
    private readonly List<CpuState> copies = [];

    /// <summary>Copies the states.</summary>
    public void Take(IEnumerable<CpuState> states)
    {
        int count = 0;
        foreach (CpuState state in states)
        {
            if (count == copies.Count)
            {
                copies.Add(new CpuState(config));
            }

            copies[count++].CopyFrom(state);
        }
    }

    /// <summary>Restores the states, given in the same order.</summary>
    public void Restore(IEnumerable<CpuState> states)
    {
        foreach ((CpuState state, CpuState copy) in states.Zip(copies))
        {
            state.CopyFrom(copy);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => copies.ForEach(copy => copy.Dispose());
}
