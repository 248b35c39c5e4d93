using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>What some states hold, to be put back where a call fails. The copies are kept from call to call.</summary>
/// <param name="config">The sizes of the states.</param>
internal sealed class StateBackup(MambaConfig config)
{
    private readonly List<CpuState> copies = [];

    /// <summary>Copies some states.</summary>
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

    /// <summary>Gives as many states, in the same order, what they held.</summary>
    public void Restore(IEnumerable<CpuState> states)
    {
        foreach ((CpuState state, CpuState copy) in states.Zip(copies))
        {
            state.CopyFrom(copy);
        }
    }
}
