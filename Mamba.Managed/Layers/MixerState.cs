using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>What one <see cref="SelectiveStateSpaceModel"/> remembers of one sequence: the last inputs of its convolution and the state of its scan.</summary>
/// <remarks>
/// Float32; channels are innermost, so that a vector holds neighboring channels:
/// <code>
/// | window: [d_conv, d_inner], oldest input first | scan: [d_inner / 16, d_state, 16] |
/// </code>
/// A new state is all zero: the beginning of a sequence. Two threads must not use one state at once.
/// </remarks>
public sealed class MixerState
{
    private readonly TensorBuffer buffer;
    private readonly long offset;

    internal MixerState(int channels, int windowLength, int states)
        : this(channels, windowLength, states, TensorBuffer.Allocate(LengthOf(channels, windowLength, states)), 0)
    {
    }

    internal MixerState(int channels, int windowLength, int states, TensorBuffer buffer, long offset)
    {
        Channels = channels;
        WindowLength = windowLength;
        States = states;
        this.buffer = buffer;
        this.offset = offset;
    }

    /// <summary>Channels: d_inner.</summary>
    public int Channels { get; }

    /// <summary>Inputs that the convolution remembers: d_conv.</summary>
    public int WindowLength { get; }

    /// <summary>States of one channel: d_state.</summary>
    public int States { get; }

    /// <summary>The last inputs of the convolution: [d_conv, d_inner], oldest first.</summary>
    public Span<float> Window => buffer.Span<float>(offset, WindowLength * Channels);

    /// <summary>The state of the scan: 16 channels after another, of each its states, [d_inner / 16, d_state, 16].</summary>
    /// <remarks>
    /// State n of channel c is at (c - c mod 16) d_state + n w + c mod 16, where w is 16, or less if fewer channels are left from c - c mod 16 on.
    /// </remarks>
    public Span<float> Scan => buffer.Span<float>(offset + ((long)WindowLength * Channels * sizeof(float)), States * Channels);

    /// <summary>Returns to the beginning of a sequence.</summary>
    public void Clear()
    {
        Window.Clear();
        Scan.Clear();
    }

    /// <summary>Makes this state equal to <paramref name="other"/>.</summary>
    /// <exception cref="ArgumentException">The states have different sizes.</exception>
    public void CopyFrom(MixerState other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (!HasSizesOf(other))
        {
            Throw.Argument($"expected a state of {this}, found one of {other}", nameof(other));
        }

        other.Window.CopyTo(Window);
        other.Scan.CopyTo(Scan);
    }

    /// <summary>The sizes, as <c>1536 channels, window 4, 16 states</c>.</summary>
    public override string ToString() => Throw.Invariant($"{Channels} channels, window {WindowLength}, {States} states");

    /// <summary>Keeps the memory, which may be that of several layers, until the lease is disposed.</summary>
    internal TensorBuffer.Lease Acquire() => buffer.Acquire();

    internal static long LengthOf(int channels, int windowLength, int states) => ((long)windowLength + states) * channels * sizeof(float);

    /// <summary>The state of the scan as [d_state, d_inner], as files hold it.</summary>
    internal float[] ScanRows()
    {
        float[] rows = new float[Scan.Length];
        new ChannelPanels(Channels, States).ToRows(Scan, rows);
        return rows;
    }

    /// <summary>Takes what <see cref="ScanRows"/> gave.</summary>
    internal void SetScanRows(ReadOnlySpan<float> rows) => new ChannelPanels(Channels, States).FromRows(rows, Scan);

    internal bool HasSizesOf(MixerState other) => (Channels, WindowLength, States) == (other.Channels, other.WindowLength, other.States);
}
