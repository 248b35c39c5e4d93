using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>The state of a sequence in a device's memory.</summary>
/// <remarks>It outlives the executor that made it, and can then be exported, to go on elsewhere. The device is free once the last state is disposed.</remarks>
public sealed class GpuState : SequenceState
{
    private readonly DeviceStates states;
    private readonly StateSlot slot;
    private volatile bool isTorn;

    internal GpuState(StateLayout layout, DeviceStates states, StateSlot slot)
        : base(layout)
    {
        (this.states, this.slot) = (states, slot);
    }

    /// <inheritdoc/>
    public override void Clear()
    {
        states.Clear(Slot());
        (Position, isTorn) = (0, false);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A pass that failed has half advanced the state.</exception>
    /// <exception cref="Devices.GpuException">The device has failed.</exception>
    public override void Export(Span<float> destination) => states.Export(WholeSlot(), destination);

    /// <inheritdoc/>
    /// <exception cref="Devices.GpuException">The device has failed.</exception>
    public override void Import(ReadOnlySpan<float> source, long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        states.Import(Slot(), source);
        (Position, isTorn) = (position, false);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A pass that failed has half advanced <paramref name="other"/>.</exception>
    /// <exception cref="Devices.GpuException">The device has failed.</exception>
    public override void CopyFrom(SequenceState other)
    {
        if (other is not GpuState state || state.states != states)
        {
            base.CopyFrom(other);
            return;
        }

        states.Copy(state.WholeSlot(), Slot());
        (Position, isTorn) = (state.Position, false);
    }

    /// <summary>Whether the state lies in the given memory.</summary>
    internal bool IsOf(DeviceStates owner) => states == owner;

    /// <summary>Where the state lies, for a pass that reads and writes it.</summary>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    /// <exception cref="InvalidOperationException">A pass that failed has half advanced it.</exception>
    internal int WholeSlot() => isTorn
        ? throw new InvalidOperationException(
            "expected a whole state, found one that a pass which failed has half advanced; clear it, or copy or import another state into it")
        : Slot();

    /// <summary>Marks the state as unusable: a pass failed after some of its layers were advanced.</summary>
    internal void Tear() => isTorn = true;

    /// <summary>Adds tokens to the position.</summary>
    internal void Advance(int tokens) => Position = checked(Position + tokens);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        slot.Dispose();
        base.Dispose(disposing);
    }

    private int Slot()
    {
        ObjectDisposedException.ThrowIf(slot.IsReturned, this);
        return slot.Index;
    }
}
