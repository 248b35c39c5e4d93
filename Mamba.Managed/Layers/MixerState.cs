using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>What one <see cref="SelectiveStateSpaceModel"/> remembers of one sequence: the last inputs of its convolution and the state of its scan.</summary>
/// <remarks>
/// Float32; channels are innermost, so that a vector holds neighboring channels:
/// <code>
/// | conv_state: [d_conv, d_inner], oldest input first | ssm_state: [d_inner / 16, d_state, 16] |
/// </code>
/// This order is internal to the kernels; <see cref="Export"/> and <see cref="Import"/> use the canonical order, ssm_state as [d_inner, d_state].
/// A new state is all zero: the beginning of a sequence. Two threads must not use one state at once.
/// </remarks>
public sealed class MixerState : IDisposable
{
    private readonly TensorBuffer buffer;
    private readonly long offset;

    internal MixerState(int channels, int convLength, int states)
        : this(channels, convLength, states, TensorBuffer.Allocate(LengthOf(channels, convLength, states)), 0)
    {
    }

    // The state of one layer in memory that a CpuState owns.
    internal MixerState(int channels, int convLength, int states, TensorBuffer buffer, long offset)
    {
        Channels = channels;
        ConvLength = convLength;
        States = states;
        this.buffer = buffer;
        this.offset = offset;
    }

    /// <summary>Channels: d_inner.</summary>
    public int Channels { get; }

    /// <summary>Inputs that the convolution remembers: d_conv.</summary>
    public int ConvLength { get; }

    /// <summary>States of one channel: d_state.</summary>
    public int States { get; }

    /// <summary>The last inputs of the convolution: [d_conv, d_inner], oldest first.</summary>
    internal Span<float> ConvState => buffer.Span<float>(offset, ConvLength * Channels);

    /// <summary>The state of the scan in <see cref="ChannelPanels"/>: [d_inner / 16, d_state, 16].</summary>
    internal Span<float> SsmState => buffer.Span<float>(offset + ((long)ConvLength * Channels * sizeof(float)), States * Channels);

    /// <summary>Returns to the beginning of a sequence.</summary>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public void Clear()
    {
        using TensorBuffer.Lease lease = Acquire();
        ConvState.Clear();
        SsmState.Clear();
    }

    /// <summary>Makes this state equal to <paramref name="other"/>.</summary>
    /// <exception cref="ArgumentException">The states have different sizes.</exception>
    /// <exception cref="ObjectDisposedException">One of them has been disposed.</exception>
    public void CopyFrom(MixerState other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (!HasSizesOf(other))
        {
            Throw.Argument($"expected a state of {this}, found one of {other}", nameof(other));
        }

        using TensorBuffer.Lease from = other.Acquire(), to = Acquire();
        other.ConvState.CopyTo(ConvState);
        other.SsmState.CopyTo(SsmState);
    }

    /// <summary>Copies the state out.</summary>
    /// <param name="convState">[d_conv, d_inner]: the last inputs of the convolution, oldest first.</param>
    /// <param name="ssmState">[d_inner, d_state]: the state of the scan.</param>
    /// <exception cref="ArgumentException">A span has the wrong length.</exception>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public void Export(Span<float> convState, Span<float> ssmState)
    {
        using TensorBuffer.Lease lease = Acquire();
        Throw.UnlessLength(ConvState.Length, convState.Length);
        Throw.UnlessLength(SsmState.Length, ssmState.Length);
        ConvState.CopyTo(convState);
        new ChannelPanels(Channels, States).ToChannels(SsmState, ssmState);
    }

    /// <summary>Overwrites the state with arrays that <see cref="Export"/> filled.</summary>
    /// <param name="convState">[d_conv, d_inner]</param>
    /// <param name="ssmState">[d_inner, d_state]</param>
    /// <exception cref="ArgumentException">A span has the wrong length.</exception>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public void Import(ReadOnlySpan<float> convState, ReadOnlySpan<float> ssmState)
    {
        using TensorBuffer.Lease lease = Acquire();
        Throw.UnlessLength(ConvState.Length, convState.Length);
        Throw.UnlessLength(SsmState.Length, ssmState.Length);
        convState.CopyTo(ConvState);
        new ChannelPanels(Channels, States).FromChannels(ssmState, SsmState);
    }

    /// <inheritdoc/>
    public void Dispose() => buffer.Dispose();

    /// <summary>The sizes, for example <c>1536 channels, d_conv 4, d_state 16</c>.</summary>
    public override string ToString() => Throw.Invariant($"{Channels} channels, d_conv {ConvLength}, d_state {States}");

    internal static long LengthOf(int channels, int convLength, int states) => ((long)convLength + states) * channels * sizeof(float);

    /// <summary>Keeps the memory from being freed while spans over it are in use.</summary>
    internal TensorBuffer.Lease Acquire() => buffer.Acquire();

    /// <summary>The state of the scan as [d_state, d_inner], as the checkpoints of a training run hold it.</summary>
    internal float[] SsmRows()
    {
        using TensorBuffer.Lease lease = Acquire();
        float[] rows = new float[SsmState.Length];
        new ChannelPanels(Channels, States).ToRows(SsmState, rows);
        return rows;
    }

    /// <summary>Overwrites the state of the scan with an array of <see cref="SsmRows"/>.</summary>
    internal void SetSsmRows(ReadOnlySpan<float> rows)
    {
        using TensorBuffer.Lease lease = Acquire();
        new ChannelPanels(Channels, States).FromRows(rows, SsmState);
    }

    internal bool HasSizesOf(MixerState other) => (Channels, ConvLength, States) == (other.Channels, other.ConvLength, other.States);
}
