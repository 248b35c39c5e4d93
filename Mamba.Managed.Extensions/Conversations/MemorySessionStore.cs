namespace Mamba.Managed.Extensions;

/// <summary>Keeps conversations in memory, up to a number of bytes and for some time since they were last used.</summary>
/// <param name="maxBytes">The most bytes; those that were not used longest make room. At least 1.</param>
/// <param name="expiry">How long a conversation is kept since it was last used; null for as long as there is room.</param>
/// <param name="time">The clock; null for the system's.</param>
public sealed class MemorySessionStore(long maxBytes = 1L << 30, TimeSpan? expiry = null, TimeProvider? time = null) : ISessionStore
{
    private readonly long maxBytes = maxBytes >= 1 ? maxBytes : throw new ArgumentOutOfRangeException(nameof(maxBytes), maxBytes, "expected at least 1 byte");
    private readonly TimeProvider time = time ?? TimeProvider.System;
    private readonly Lock gate = new();
    private readonly Dictionary<string, LinkedListNode<Entry>> entries = [];
    private readonly LinkedList<Entry> order = [];
    private long bytes;

    /// <summary>Bytes that are kept now.</summary>
    public long Bytes
    {
        get
        {
            lock (gate)
            {
                return bytes;
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>?> ReadAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        lock (gate)
        {
            Expire();
            if (!entries.TryGetValue(id, out LinkedListNode<Entry>? node))
            {
                return ValueTask.FromResult<ReadOnlyMemory<byte>?>(null);
            }

            order.Remove(node);
            node.Value = node.Value with { Used = time.GetTimestamp() };
            order.AddLast(node);
            return ValueTask.FromResult<ReadOnlyMemory<byte>?>(node.Value.Conversation);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The conversation alone takes more bytes than the store has.</exception>
    public ValueTask WriteAsync(string id, ReadOnlyMemory<byte> conversation, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        if (conversation.Length > maxBytes)
        {
            throw new InvalidOperationException($"expected a conversation of at most the store's {maxBytes} bytes, found {conversation.Length}; give the store more room");
        }

        lock (gate)
        {
            Expire();
            if (entries.TryGetValue(id, out LinkedListNode<Entry>? before))
            {
                Remove(before);
            }

            entries[id] = order.AddLast(new Entry(id, conversation, time.GetTimestamp()));
            bytes += conversation.Length;
            while (bytes > maxBytes)
            {
                Remove(order.First!);
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        lock (gate)
        {
            Expire();
            bool isThere = entries.TryGetValue(id, out LinkedListNode<Entry>? node);
            if (isThere)
            {
                Remove(node!);
            }

            return ValueTask.FromResult(isThere);
        }
    }

    private void Expire()
    {
        while (expiry is { } most && order.First is { } oldest && time.GetElapsedTime(oldest.Value.Used) > most)
        {
            Remove(oldest);
        }
    }

    private void Remove(LinkedListNode<Entry> node)
    {
        order.Remove(node);
        entries.Remove(node.Value.Id);
        bytes -= node.Value.Conversation.Length;
    }

    private sealed record Entry(string Id, ReadOnlyMemory<byte> Conversation, long Used);
}
