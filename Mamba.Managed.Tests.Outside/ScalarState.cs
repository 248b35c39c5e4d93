using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Outside;

/// <summary>A state of another device: here, numbers in the order of the canonical form.</summary>
internal sealed class ScalarState(StateLayout layout) : SequenceState(layout)
{
    private readonly Lock gate = new();
    private readonly float[] values = new float[layout.Length(0)];
    private bool disposed;

    /// <summary>Copies the numbers for a pass, which gives them back by <see cref="Replace"/> once all has gone well.</summary>
    public float[] Copy()
    {
        float[] copy = new float[values.Length];
        Export(copy);
        return copy;
    }

    public void Replace(float[] moved, int tokens)
    {
        lock (gate)
        {
            moved.CopyTo(values, 0);
            Position += tokens;
        }
    }

    public override void Clear() => Import(new float[values.Length], 0);

    public override void Export(Span<float> destination)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            RequireLength(destination.Length);
            values.CopyTo(destination);
        }
    }

    public override void Import(ReadOnlySpan<float> source, long position)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            RequireLength(source.Length);
            Position = position;
            source.CopyTo(values);
        }
    }

    protected override void Dispose(bool disposing)
    {
        lock (gate)
        {
            disposed = true;
        }

        base.Dispose(disposing);
    }

    private void RequireLength(int length)
    {
        if (length != values.Length)
        {
            throw new ArgumentException($"expected {values.Length} numbers, found {length}");
        }
    }
}
