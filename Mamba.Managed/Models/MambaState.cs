using Mamba.Managed.Tensors;

namespace Mamba.Managed.Models;

/// <summary>Everything a Mamba model remembers of one sequence: per layer the last inputs of the convolution and the state of the scan.</summary>
/// <remarks>
/// Memory of one layer, float32; channels are innermost so that a vector holds neighbouring channels:
/// <code>
/// | window: [d_conv, d_inner], oldest input first | scan: [d_state, d_inner] |
/// </code>
/// A new state is all zero: the beginning of a text. A state belongs to one sequence; two threads must not use it at once.
/// </remarks>
public sealed class MambaState
{
    private readonly TensorBuffer buffer;

    /// <summary>The state before the first token.</summary>
    /// <exception cref="InvalidDataException">The configuration is not valid.</exception>
    public MambaState(MambaConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate();
        Layers = config.NLayer;
        Channels = config.DInner;
        WindowLength = config.DConv;
        States = config.DState;
        buffer = TensorBuffer.Allocate((long)Layers * LayerLength * sizeof(float));
    }

    /// <summary>Layers of the model.</summary>
    public int Layers { get; }

    /// <summary>Channels of a layer: d_inner.</summary>
    public int Channels { get; }

    /// <summary>Inputs that the convolution remembers: d_conv.</summary>
    public int WindowLength { get; }

    /// <summary>States of one channel: d_state.</summary>
    public int States { get; }

    /// <summary>Tokens that have passed.</summary>
    public long Position { get; internal set; }

    /// <summary>Memory taken, in bytes.</summary>
    public long ByteLength => buffer.Length;

    private int LayerLength => (WindowLength + States) * Channels;

    /// <summary>The last inputs of a layer's convolution: [d_conv, d_inner], oldest first.</summary>
    public Span<float> Window(int layer) => buffer.Span<float>(LayerOffset(layer), WindowLength * Channels);

    /// <summary>The state of a layer's scan: [d_state, d_inner].</summary>
    public Span<float> Scan(int layer) =>
        buffer.Span<float>(LayerOffset(layer) + ((long)WindowLength * Channels * sizeof(float)), States * Channels);

    /// <summary>Returns to the beginning of a text.</summary>
    public void Clear()
    {
        for (int layer = 0; layer < Layers; layer++)
        {
            Window(layer).Clear();
            Scan(layer).Clear();
        }

        Position = 0;
    }

    /// <summary>Makes this state equal to <paramref name="other"/>.</summary>
    /// <exception cref="ArgumentException">The states belong to models of different sizes.</exception>
    public void CopyFrom(MambaState other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if ((Layers, Channels, WindowLength, States) != (other.Layers, other.Channels, other.WindowLength, other.States))
        {
            Throw.Argument($"expected a state of {this}, found one of {other}", nameof(other));
        }

        for (int layer = 0; layer < Layers; layer++)
        {
            other.Window(layer).CopyTo(Window(layer));
            other.Scan(layer).CopyTo(Scan(layer));
        }

        Position = other.Position;
    }

    /// <summary>The sizes, as <c>24 layers x 1536 channels, window 4, 16 states</c>.</summary>
    public override string ToString() =>
        Throw.Invariant($"{Layers} layers x {Channels} channels, window {WindowLength}, {States} states");

    private long LayerOffset(int layer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, Layers);
        return (long)layer * LayerLength * sizeof(float);
    }
}
