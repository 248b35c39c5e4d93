namespace Mamba.Managed.Models;

/// <summary>Everything that a model remembers of one sequence, in the memory of the device that computes it.</summary>
/// <remarks>
/// A new state is the beginning of a text. A state is used with the executor that made it. To continue on another executor of the same model, copy
/// it into a state of that executor: by <see cref="CopyFrom"/>, or by <see cref="Export"/> and <see cref="Import"/> in the form of <see cref="Layout"/>.
/// A state belongs to one sequence and is used by one thread at a time. It owns memory: dispose it, or leave it to the garbage collector.
/// </remarks>
public abstract class SequenceState : IDisposable
{
    /// <summary>A state before the first token.</summary>
    /// <param name="layout">The arrays that it exports.</param>
    protected SequenceState(StateLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Layout = layout;
    }

    /// <summary>The arrays that <see cref="Export"/> writes and <see cref="Import"/> reads.</summary>
    public StateLayout Layout { get; }

    /// <summary>The number of tokens so far. An executor advances it together with the state.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Set to a negative number.</exception>
    public long Position
    {
        get;
        protected set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(Position));
            field = value;
        }
    }

    /// <summary>Returns to the beginning of a text.</summary>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public abstract void Clear();

    /// <summary>Copies the arrays of <see cref="Layout"/>, one after the other.</summary>
    /// <param name="destination">Its length is that of the layout at <see cref="Position"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="destination"/> has another length.</exception>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public abstract void Export(Span<float> destination);

    /// <summary>Overwrites the state with what <see cref="Export"/> of a state of the same layout wrote; a call that throws changes nothing.</summary>
    /// <param name="source">Its length is that of the layout at <paramref name="position"/>.</param>
    /// <param name="position">The number of tokens so far.</param>
    /// <exception cref="ArgumentException"><paramref name="source"/> has another length, or <paramref name="position"/> is negative.</exception>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public abstract void Import(ReadOnlySpan<float> source, long position);

    /// <summary>Makes this state equal to <paramref name="other"/>, which may be on another device.</summary>
    /// <exception cref="ArgumentException">The states have different layouts.</exception>
    /// <exception cref="ObjectDisposedException">One of them has been disposed.</exception>
    /// <remarks>This implementation exports and imports; a device overrides it to copy between its own states directly.</remarks>
    public virtual void CopyFrom(SequenceState other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (!Layout.Equals(other.Layout))
        {
            Throw.Argument($"expected a state of {this}, found one of {other}", nameof(other));
        }

        long position = other.Position;
        float[] values = new float[checked((int)Layout.Length(position))];
        other.Export(values);
        Import(values, position);
    }

    /// <summary>Frees the memory, once a call that is using the state has finished.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory.</summary>
    /// <param name="disposing">False when a finalizer calls it.</param>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>The layout, in short.</summary>
    public override string ToString() => Layout.ToString();
}
