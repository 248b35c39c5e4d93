using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>What some states hold, to be put back where a call fails. The copies are kept from call to call.</summary>
/// <param name="config">The sizes of the states.</param>
internal sealed class StateBackup(MambaConfig config)
{
    private readonly List<MambaState> copies = [];

    /// <summary>Copies some states.</summary>
    public void Take(IEnumerable<MambaState> states)
    {
        int count = 0;
        foreach (MambaState state in states)
        {
            if (count == copies.Count)
            {
                copies.Add(new MambaState(config, clear: false));
            }

            copies[count++].CopyFrom(state);
        }
    }

    /// <summary>Gives as many states, in the same order, what they held.</summary>
    public void Restore(IEnumerable<MambaState> states)
    {
        foreach ((MambaState state, MambaState copy) in states.Zip(copies))
        {
            state.CopyFrom(copy);
        }
    }
}
