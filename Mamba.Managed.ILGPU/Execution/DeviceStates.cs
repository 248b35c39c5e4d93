using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>The states of an executor's sequences: copies between the pool and the canonical form of the host.</summary>
/// <param name="session">The device.</param>
/// <param name="shape">The model's sizes.</param>
/// <param name="layout">The canonical form.</param>
/// <param name="ownsSession">Whether nobody else uses the device's session: it ends with the last state.</param>
/// <remarks>The memory outlives the executor: it is freed once the last state is.</remarks>
internal sealed class DeviceStates(GpuSession session, ModelShape shape, StateLayout layout, bool ownsSession) : IDisposable
{
    private readonly HostStaging<float> staging = new(session, shape.StateLength);
    private readonly Part[] parts = PartsOf(shape);
    private bool isClosed;

    /// <summary>The states on the device.</summary>
    public StatePool Pool { get; } = new(session, shape.StateLength);

    /// <summary>A slot, zeroed.</summary>
    public StateSlot Take()
    {
        lock (session.Gate)
        {
            RequireOpen();
            return new(Pool, session.Guarded(Pool.Take));
        }
    }

    /// <summary>Zeroes a state.</summary>
    public void Clear(int slot)
    {
        lock (session.Gate)
        {
            session.RequireWorking();
            session.Guarded(() => session.Clear(Pool[slot]));
        }
    }

    /// <summary>Copies a state to another slot.</summary>
    public void Copy(int from, int to)
    {
        lock (session.Gate)
        {
            session.RequireWorking();
            if (from != to)
            {
                session.Guarded(() => Pool[from].CopyTo(session.Stream, Pool[to]));
            }
        }
    }

    /// <summary>Copies a state to the host.</summary>
    public void Export(int slot, Span<float> destination)
    {
        RequireLength(destination.Length, nameof(destination));
        lock (session.Gate)
        {
            session.RequireWorking();
            session.Guarded(() => staging.Fetch(Pool[slot]));
            session.Synchronize();
            foreach (Part part in parts)
            {
                for (int row = 0; row < part.Rows; row++)
                {
                    part.Padded(row, staging.Span).CopyTo(destination[(part.Canonical + (row * part.Columns))..]);
                }
            }
        }
    }

    /// <summary>Overwrites a state.</summary>
    public void Import(int slot, ReadOnlySpan<float> source)
    {
        RequireLength(source.Length, nameof(source));
        lock (session.Gate)
        {
            session.RequireWorking();
            staging.Span.Clear();
            foreach (Part part in parts)
            {
                for (int row = 0; row < part.Rows; row++)
                {
                    source.Slice(part.Canonical + (row * part.Columns), part.Columns).CopyTo(part.Padded(row, staging.Span));
                }
            }

            session.Guarded(() => staging.Send(Pool[slot]));
            session.Synchronize();
        }
    }

    /// <summary>Throws once the executor is disposed or the device has failed. Called under <see cref="GpuSession.Gate"/>.</summary>
    public void RequireOpen()
    {
        ObjectDisposedException.ThrowIf(isClosed, typeof(GpuExecutor));
        session.RequireWorking();
    }

    /// <summary>Refuses new states. Called under <see cref="GpuSession.Gate"/>.</summary>
    /// <returns>False where that was done before.</returns>
    public bool TryClose()
    {
        bool wasOpen = !isClosed;
        isClosed = true;
        return wasOpen;
    }

    /// <summary>Frees the memory once the last state is disposed or forgotten, which may be now. Called once, after <see cref="TryClose"/>.</summary>
    public void Dispose() => Pool.WhenEmpty(() =>
    {
        lock (session.Gate)
        {
            staging.Dispose();
            Pool.Dispose();
            if (ownsSession)
            {
                session.Dispose();
            }
        }
    });

    private static Part[] PartsOf(ModelShape shape)
    {
        MambaConfig config = shape.Config;
        List<Part> parts = [];
        int canonical = 0;
        for (int layer = 0; layer < config.NLayer; layer++)
        {
            Add(shape.ConvOffset(layer), config.DConv, config.DInner, shape.Channels);
            Add(shape.ScanOffset(layer), config.DInner, config.DState, shape.States);
        }

        return shape.IsCanonical ? [new(0, 0, 1, canonical, canonical)] : [.. parts];

        void Add(long start, int rows, int columns, int pitch)
        {
            parts.Add(new(canonical, checked((int)start), rows, columns, pitch));
            canonical += rows * columns;
        }
    }

    private void RequireLength(int found, string argument)
    {
        long expected = layout.Length(0);
        if (found != expected)
        {
            throw new ArgumentException($"expected {expected} numbers, found {found}", argument);
        }
    }

    /// <summary>Rows of an array of the canonical form, and where they lie in memory, where rows are filled up.</summary>
    private readonly record struct Part(int Canonical, int Start, int Rows, int Columns, int Pitch)
    {
        public Span<float> Padded(int row, Span<float> values) => values.Slice(Start + (row * Pitch), Columns);
    }
}
