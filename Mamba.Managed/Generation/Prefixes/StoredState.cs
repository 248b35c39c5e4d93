using Mamba.Managed.Models;

namespace Mamba.Managed.Generation.Prefixes;

/// <summary>A copy of a state in the processor's memory, freed when the last of those who hold it lets go.</summary>
/// <remarks>
/// The state of a processor is kept as its kernels order it, so that storing and restoring are each one copy of memory; that of another device in the
/// canonical form, so that it takes no memory of the device and outlives its executor.
/// </remarks>
internal sealed class StoredState
{
    private readonly CpuState? state;
    private readonly float[] values;
    private int holders = 1;

    private StoredState(StateLayout layout, CpuState? state, float[] values, long position) =>
        (Layout, this.state, this.values, Position) = (layout, state, values, position);

    /// <summary>Its arrays.</summary>
    public StateLayout Layout { get; }

    /// <summary>The number of tokens that it has seen.</summary>
    public long Position { get; }

    /// <summary>Memory taken.</summary>
    public long ByteLength => state?.ByteLength ?? ((long)values.Length * sizeof(float));

    /// <summary>Copies a state.</summary>
    /// <param name="source">Not changed.</param>
    /// <param name="free">A state of the same sizes that nobody needs, or null.</param>
    public static StoredState Of(SequenceState source, CpuState? free)
    {
        if (source is not CpuState cpu)
        {
            float[] values = new float[checked((int)source.Layout.Length(source.Position))];
            source.Export(values);
            return new(source.Layout, null, values, source.Position);
        }

        CpuState copy = free ?? cpu.CreateSame();
        try
        {
            copy.CopyFrom(cpu);
        }
        catch
        {
            copy.Dispose();
            throw;
        }

        return new(copy.Layout, copy, [], copy.Position);
    }

    /// <summary>A state of the canonical form.</summary>
    /// <param name="values">As <see cref="SequenceState.Export"/> writes them; taken over.</param>
    /// <param name="position">The number of tokens that it has seen.</param>
    /// <param name="like">A state of the same kind; only its sizes are used.</param>
    public static StoredState Of(float[] values, long position, SequenceState like)
    {
        if (like is not CpuState cpu)
        {
            return new(like.Layout, null, values, position);
        }

        CpuState state = cpu.CreateSame();
        state.Import(values, position);
        return new(state.Layout, state, [], position);
    }

    /// <summary>Makes a state equal to this one.</summary>
    public void CopyTo(SequenceState target)
    {
        if (state is not null)
        {
            target.CopyFrom(state);
        }
        else
        {
            target.Import(values, Position);
        }
    }

    /// <summary>Writes it as <see cref="SavedState.Save"/> does.</summary>
    public void Save(Stream stream, ModelFingerprint fingerprint, ReadOnlySpan<byte> session)
    {
        float[] canonical = state is null ? [.. values] : new float[checked((int)Layout.Length(Position))];
        state?.Export(canonical);
        SavedState.Write(stream, Layout, canonical, Position, fingerprint, session);
    }

    /// <summary>One more holds it.</summary>
    public void Hold() => Interlocked.Increment(ref holders);

    /// <summary>One lets go; returns memory that may be used again, or null.</summary>
    public CpuState? Release() => Interlocked.Decrement(ref holders) == 0 ? state : null;
}
