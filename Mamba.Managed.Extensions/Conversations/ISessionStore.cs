namespace Mamba.Managed.Extensions;

/// <summary>Keeps conversations between their turns, by id. It may be used by any number of threads at once.</summary>
/// <remarks>What is kept is some bytes: the messages, and the session as <see cref="Generation.GenerationEngine.Save"/> writes it, bound to its model.</remarks>
public interface ISessionStore
{
    /// <summary>What is kept under an id; null where there is nothing, or nothing any more.</summary>
    ValueTask<ReadOnlyMemory<byte>?> ReadAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Keeps a conversation, in place of what was kept under its id.</summary>
    ValueTask WriteAsync(string id, ReadOnlyMemory<byte> conversation, CancellationToken cancellationToken = default);

    /// <summary>Forgets a conversation.</summary>
    /// <returns>Whether there was one.</returns>
    ValueTask<bool> DeleteAsync(string id, CancellationToken cancellationToken = default);
}
