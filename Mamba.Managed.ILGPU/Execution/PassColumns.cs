using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>Which token lies in which column of a pass: the sequences one after the other, each from a multiple of <see cref="Padding.Sequence"/> on.</summary>
internal sealed class PassColumns : IDisposable
{
    private readonly GpuSession session;
    private readonly DeviceMemory memory;
    private readonly HostStaging<int> tokens;
    private readonly HostStaging<int> wanted;
    private readonly HostStaging<Segment> segments;
    private readonly ArrayView<int> deviceTokens;
    private readonly ArrayView<int> deviceWanted;
    private readonly ArrayView<Segment> deviceSegments;
    private int count;
    private int longest;

    /// <param name="session">The device.</param>
    /// <param name="capacity">The most columns, a multiple of <see cref="Padding.Columns"/>.</param>
    public PassColumns(GpuSession session, int capacity)
    {
        this.session = session;
        Capacity = capacity;
        int sequences = capacity / Padding.Sequence;
        (tokens, wanted, segments) = (new(session, capacity), new(session, capacity), new(session, sequences));
        memory = new(session);
        (deviceTokens, deviceWanted, deviceSegments) = (memory.Take<int>(capacity), memory.Take<int>(capacity), memory.Take<Segment>(sequences));
    }

    /// <summary>The most columns.</summary>
    public int Capacity { get; }

    /// <summary>Columns in use, those between the sequences included.</summary>
    public int Used { get; private set; }

    /// <summary>How many columns' logits are wanted.</summary>
    public int WantedCount { get; private set; }

    /// <summary>[<see cref="Pitch"/>], and more behind them: the token of each column; -1 between sequences and after the last.</summary>
    public ArrayView<int> Tokens => deviceTokens;

    /// <summary>The sequences.</summary>
    public SegmentList Segments => new(deviceSegments.SubView(0, count), longest);

    /// <summary>Entries from one row of an activation to the next.</summary>
    public int Pitch => Padding.Up(Used, Padding.Columns);

    /// <summary>The columns of which logits are wanted, in order.</summary>
    public ArrayView<int> Wanted(int first, int length) => deviceWanted.SubView(first, length);

    /// <summary>Begins a pass without sequences.</summary>
    public void Clear()
    {
        (count, longest, Used, WantedCount) = (0, 0, 0, 0);
        tokens.Span.Fill(-1);
    }

    /// <summary>Adds a sequence where there is room.</summary>
    /// <param name="ids">Its tokens.</param>
    /// <param name="logits">Of how many of its last tokens logits are wanted.</param>
    /// <param name="slot">Its state's place in the pool.</param>
    /// <returns>False where there is none.</returns>
    public bool TryAdd(ReadOnlySpan<int> ids, int logits, int slot)
    {
        if (Used + Padding.Up(ids.Length, Padding.Sequence) > Capacity)
        {
            return false;
        }

        ids.CopyTo(tokens.Span[Used..]);
        segments.Span[count++] = new(Used, ids.Length, slot);
        for (int i = ids.Length - logits; i < ids.Length; i++)
        {
            wanted.Span[WantedCount++] = Used + i;
        }

        longest = Math.Max(longest, ids.Length);
        Used += Padding.Up(ids.Length, Padding.Sequence);
        return true;
    }

    /// <summary>Copies all of it to the device. Asynchronous: the next <see cref="Clear"/> comes after the session was synchronized.</summary>
    public void Send()
    {
        tokens.Send(deviceTokens.SubView(0, Pitch));
        wanted.Send(deviceWanted.SubView(0, WantedCount));
        segments.Send(deviceSegments.SubView(0, count));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        memory.Dispose();
        tokens.Dispose();
        wanted.Dispose();
        segments.Dispose();
    }
}
