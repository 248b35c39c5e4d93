namespace Mamba.Managed.Layers;

/// <summary>Copies of the states of some layers before a call, so that one that throws on its way leaves them as they were.</summary>
internal sealed class MixerStateCopies : IDisposable
{
    private readonly MixerState[] states;
    private readonly MixerState[] copies;

    /// <summary>Copies states.</summary>
    public MixerStateCopies(params ReadOnlySpan<MixerState> states)
    {
        this.states = states.ToArray();
        copies = [.. this.states.Select(state => new MixerState(state.Channels, state.ConvLength, state.States))];
        for (int i = 0; i < copies.Length; i++)
        {
            copies[i].CopyFrom(this.states[i]);
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
                // Nobody can read it any more.
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (MixerState copy in copies)
        {
            copy.Dispose();
        }
    }
}
