using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Models;

/// <summary>Everything a Mamba model remembers of one sequence: the state of each layer, in one block of memory.</summary>
/// <remarks>A new state is all zero: the beginning of a text. A state belongs to one sequence; two threads must not use it at once.</remarks>
public sealed class MambaState
{
    private readonly MixerState[] layers;

    /// <summary>The state before the first token.</summary>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    public MambaState(MambaConfig config)
        : this(config, clear: true)
    {
    }

    /// <summary>As <see cref="MambaState(MambaConfig)"/>; what is not cleared takes no memory until it is first written, by <see cref="CopyFrom"/>.</summary>
    internal MambaState(MambaConfig config, bool clear)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate();
        long layerLength = MixerState.LengthOf(config.DInner, config.DConv, config.DState);
        TensorBuffer buffer = TensorBuffer.Allocate(config.NLayer * layerLength, clear);
        ByteLength = buffer.Length;
        layers = new MixerState[config.NLayer];
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i] = new MixerState(config.DInner, config.DConv, config.DState, buffer, i * layerLength);
        }
    }

    /// <summary>The state of each layer, first to last.</summary>
    public ReadOnlySpan<MixerState> Layers => layers;

    /// <summary>Tokens that have passed.</summary>
    public long Position { get; internal set; }

    /// <summary>Memory taken, in bytes.</summary>
    public long ByteLength { get; }

    internal MixerState[] LayerArray => layers;

    /// <summary>Returns to the beginning of a text.</summary>
    public void Clear()
    {
        foreach (MixerState layer in layers)
        {
            layer.Clear();
        }

        Position = 0;
    }

    /// <summary>Makes this state equal to <paramref name="other"/>.</summary>
    /// <exception cref="ArgumentException">The states belong to models of different sizes.</exception>
    public void CopyFrom(MambaState other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (!HasSizesOf(other))
        {
            Throw.Argument($"expected a state of {this}, found one of {other}", nameof(other));
        }

        for (int i = 0; i < layers.Length; i++)
        {
            layers[i].CopyFrom(other.layers[i]);
        }

        Position = other.Position;
    }

    /// <summary>The sizes, as <c>24 layers x 1536 channels, window 4, 16 states</c>.</summary>
    public override string ToString() => Throw.Invariant($"{layers.Length} layers x {layers[0]}");

    internal bool HasSizesOf(MambaState other) => layers.Length == other.layers.Length && layers[0].HasSizesOf(other.layers[0]);
}
