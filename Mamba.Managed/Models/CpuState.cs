using System.Runtime.InteropServices;
using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Models;

/// <summary>The state of a sequence in the processor's memory: that of each layer, in one block.</summary>
/// <remarks>The order within the block is internal to the kernels and may change: <see cref="Export"/> gives the canonical order.</remarks>
public sealed class CpuState : SequenceState
{
    private readonly TensorBuffer buffer;
    private readonly MixerState[] layers;
    private volatile bool isTorn;

    /// <summary>The state before the first token.</summary>
    /// <exception cref="InvalidDataException">The configuration is not valid.</exception>
    public CpuState(MambaConfig config)
        : this(config, StateLayout.Of(config))
    {
    }

    /// <summary>As <see cref="CpuState(MambaConfig)"/>, with a layout made before.</summary>
    internal CpuState(MambaConfig config, StateLayout layout)
        : this(layout, config.NLayer, config.DInner, config.DConv, config.DState, clear: true)
    {
    }

    private CpuState(StateLayout layout, int depth, int channels, int window, int states, bool clear)
        : base(layout)
    {
        long layerLength = MixerState.LengthOf(channels, window, states);
        buffer = TensorBuffer.Allocate(depth * layerLength, clear);
        layers = new MixerState[depth];
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i] = new MixerState(channels, window, states, buffer, i * layerLength);
        }
    }

    /// <summary>Memory taken, in bytes.</summary>
    public long ByteLength => buffer.Length;

    /// <summary>The state of each layer, first to last; all share the memory of this state.</summary>
    internal ReadOnlySpan<MixerState> Layers => layers;

    internal MixerState[] LayerArray => layers;

    /// <summary>Whether the state equals a new one. Position 0 alone does not show it: any contents can be imported at position 0.</summary>
    internal bool IsInitial
    {
        get
        {
            using TensorBuffer.Lease lease = Acquire();
            foreach (MixerState layer in layers)
            {
                if (Position != 0 || !IsZero(layer.ConvState) || !IsZero(layer.SsmState))
                {
                    return false;
                }
            }

            return true;

            static bool IsZero(ReadOnlySpan<float> values) => !MemoryMarshal.AsBytes(values).ContainsAnyExcept((byte)0);
        }
    }

    /// <inheritdoc/>
    public override void Clear()
    {
        using TensorBuffer.Lease lease = buffer.Acquire();
        foreach (MixerState layer in layers)
        {
            layer.ConvState.Clear();
            layer.SsmState.Clear();
        }

        (Position, isTorn) = (0, false);
    }

    /// <inheritdoc/>
    public override void Export(Span<float> destination)
    {
        using TensorBuffer.Lease lease = Acquire();
        Throw.UnlessLength(Layout.Length(0), destination.Length, nameof(destination));
        foreach (MixerState layer in layers)
        {
            layer.Export(destination[..layer.ConvState.Length], destination.Slice(layer.ConvState.Length, layer.SsmState.Length));
            destination = destination[(layer.ConvState.Length + layer.SsmState.Length)..];
        }
    }

    /// <inheritdoc/>
    public override void Import(ReadOnlySpan<float> source, long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        using TensorBuffer.Lease lease = buffer.Acquire();
        Throw.UnlessLength(Layout.Length(0), source.Length, nameof(source));
        foreach (MixerState layer in layers)
        {
            layer.Import(source[..layer.ConvState.Length], source.Slice(layer.ConvState.Length, layer.SsmState.Length));
            source = source[(layer.ConvState.Length + layer.SsmState.Length)..];
        }

        (Position, isTorn) = (position, false);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException"><paramref name="other"/> is half advanced.</exception>
    public override void CopyFrom(SequenceState other)
    {
        if (other is not CpuState state || !HasSizesOf(state))
        {
            base.CopyFrom(other);
            return;
        }

        using TensorBuffer.Lease from = state.Acquire(), to = buffer.Acquire();
        for (int i = 0; i < layers.Length; i++)
        {
            state.layers[i].ConvState.CopyTo(layers[i].ConvState);
            state.layers[i].SsmState.CopyTo(layers[i].SsmState);
        }

        (Position, isTorn) = (state.Position, false);
    }

    /// <summary>The sizes, for example <c>24 layers x 1536 channels, d_conv 4, d_state 16</c>.</summary>
    public override string ToString() => Throw.Invariant($"{layers.Length} layers x {layers[0]}");

    /// <summary>A state of the same sizes whose contents are arbitrary, to be copied or imported into at once.</summary>
    internal CpuState CreateSame() => new(Layout, layers.Length, layers[0].Channels, layers[0].ConvLength, layers[0].States, clear: false);

    /// <summary>Keeps the memory from being freed while it is in use.</summary>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    /// <exception cref="InvalidOperationException">The state is half advanced.</exception>
    internal TensorBuffer.Lease Acquire()
    {
        if (isTorn)
        {
            throw new InvalidOperationException(
                "expected a whole state, found one that a pass which failed has half advanced; clear it, or copy or import another state into it");
        }

        return buffer.Acquire();
    }

    /// <summary>Marks the state as unusable: a pass failed after some of its layers were advanced.</summary>
    internal void Tear() => isTorn = true;

    /// <summary>Throws if the position would overflow.</summary>
    internal void RequireRoom(int tokens)
    {
        if (Position > long.MaxValue - tokens)
        {
            Throw.Argument(Throw.Invariant($"expected a state that can count {tokens} more tokens, found one at position {Position}"), "state");
        }
    }

    /// <summary>Adds tokens to the position.</summary>
    internal void Advance(int tokens) => Position = checked(Position + tokens);

    internal bool HasSizesOf(CpuState other) => layers.Length == other.layers.Length && layers[0].HasSizesOf(other.layers[0]);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        buffer.Dispose();
        base.Dispose(disposing);
    }
}
