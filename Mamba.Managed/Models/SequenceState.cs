namespace Mamba.Managed.Models;

/// <summary>Everything that a model remembers of one sequence, in the memory of the device that computes it.</summary>
/// <remarks>
/// A new state is the beginning of a text. It is given to the executor that made it; another executor of the same model takes it over by
/// <see cref="Export"/> and <see cref="Import"/>, or <see cref="CopyFrom"/>, which do that in the form that <see cref="Layout"/> describes.
/// A state belongs to one sequence and serves one thread at a time. It owns memory: dispose it, or leave it to the collector.
/// </remarks>
public abstract class SequenceState : IDisposable
{
    /// <summary>A state before the first token.</summary>
    /// <param name="layout">What it consists of when it is exported.</param>
    protected SequenceState(StateLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Layout = layout;
    }

    /// <summary>What <see cref="Export"/> gives and <see cref="Import"/> takes.</summary>
    public StateLayout Layout { get; }

    /// <summary>Tokens that have passed. An executor moves it on with the state.</summary>
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
    /// <param name="destination">As long as the layout says for <see cref="Position"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="destination"/> has another length.</exception>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public abstract void Export(Span<float> destination);

    /// <summary>Takes what <see cref="Export"/> of a state of the same layout gave; a call that throws changes nothing.</summary>
    /// <param name="source">As long as the layout says for <paramref name="position"/>.</param>
    /// <param name="position">Tokens that have passed.</param>
    /// <exception cref="ArgumentException"><paramref name="source"/> has another length, or <paramref name="position"/> is negative.</exception>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public abstract void Import(ReadOnlySpan<float> source, long position);

    /// <summary>Makes this state equal to <paramref name="other"/>, on whatever device that is.</summary>
    /// <exception cref="ArgumentException">The states have different layouts.</exception>
    /// <exception cref="ObjectDisposedException">One of them has been disposed.</exception>
    /// <remarks>Exports and imports; a device overrides it for states of its own.</remarks>
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

    /// <summary>Frees the memory; what uses the state at this moment finishes first.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory.</summary>
    /// <param name="disposing">False where a finalizer calls.</param>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>The layout, in short.</summary>
    public override string ToString() => Layout.ToString();
}
