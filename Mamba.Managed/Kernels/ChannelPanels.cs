namespace Mamba.Managed.Kernels;

/// <summary>The layout of ssm_state and of A: panels of 16 channels, with all states of a panel contiguous.</summary>
/// <remarks>
/// A decode step reads every state once; in this layout it reads memory sequentially. The last panel may be narrower:
/// <code>panel p:  | h[16p .. 16p+15, 0] | h[16p .. 16p+15, 1] | ... | h[16p .. 16p+15, states-1] |</code>
/// Channels [a, b) lie at [a x states, b x states) where a is a multiple of 16.
/// </remarks>
/// <param name="channels">How many channels: d_inner.</param>
/// <param name="states">States of one channel: d_state.</param>
internal readonly struct ChannelPanels(int channels, int states)
{
    /// <summary>Channels of a panel.</summary>
    public const int Width = 16;

    /// <summary>Offset of the first state of a channel.</summary>
    public long Offset(int channel) => ((long)FirstOf(channel) * states) + (channel % Width);

    /// <summary>Distance between two states of a channel.</summary>
    public int Pitch(int channel) => Math.Min(Width, channels - FirstOf(channel));

    /// <summary>Copies panels to rows.</summary>
    /// <param name="panels">[channels x states], in panels.</param>
    /// <param name="rows">[states, channels]</param>
    public void ToRows(ReadOnlySpan<float> panels, Span<float> rows)
    {
        for (int channel = 0; channel < channels; channel += Width)
        {
            int width = Pitch(channel);
            for (int n = 0; n < states; n++)
            {
                panels[..width].CopyTo(rows.Slice((n * channels) + channel, width));
                panels = panels[width..];
            }
        }
    }

    /// <summary>Copies rows to panels.</summary>
    /// <param name="rows">[states, channels]</param>
    /// <param name="panels">[channels x states], in panels.</param>
    public void FromRows(ReadOnlySpan<float> rows, Span<float> panels)
    {
        for (int channel = 0; channel < channels; channel += Width)
        {
            int width = Pitch(channel);
            for (int n = 0; n < states; n++)
            {
                rows.Slice((n * channels) + channel, width).CopyTo(panels);
                panels = panels[width..];
            }
        }
    }

    /// <summary>Copies panels to an array of each channel's states.</summary>
    /// <param name="panels">[channels x states], in panels.</param>
    /// <param name="byChannel">[channels, states]</param>
    public void ToChannels(ReadOnlySpan<float> panels, Span<float> byChannel)
    {
        for (int channel = 0, i = 0; channel < channels; channel++)
        {
            (int at, int pitch) = ((int)Offset(channel), Pitch(channel));
            for (int n = 0; n < states; n++, i++, at += pitch)
            {
                byChannel[i] = panels[at];
            }
        }
    }

    /// <summary>Copies an array of each channel's states to panels.</summary>
    /// <param name="byChannel">[channels, states]</param>
    /// <param name="panels">[channels x states], in panels.</param>
    public void FromChannels(ReadOnlySpan<float> byChannel, Span<float> panels)
    {
        for (int channel = 0, i = 0; channel < channels; channel++)
        {
            (int at, int pitch) = ((int)Offset(channel), Pitch(channel));
            for (int n = 0; n < states; n++, i++, at += pitch)
            {
                panels[at] = byChannel[i];
            }
        }
    }

    private static int FirstOf(int channel) => channel / Width * Width;
}
