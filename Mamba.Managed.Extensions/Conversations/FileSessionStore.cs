using System.Security.Cryptography;
using System.Text;

namespace Mamba.Managed.Extensions;

/// <summary>Keeps conversations as files of a folder, which outlive the process; several processes may share it.</summary>
/// <remarks>A file is written aside, flushed and renamed, so that a reader sees the conversation before or after a turn, never half of one.</remarks>
public sealed class FileSessionStore : ISessionStore
{
    private const string Extension = ".mambaconversation";

    private readonly string folder;
    private readonly TimeSpan? expiry;
    private readonly TimeProvider time;

    /// <summary>A store in a folder.</summary>
    /// <param name="folder">It is made where it is not there.</param>
    /// <param name="expiry">How long a conversation is kept since its last turn; null for any time. Older files are removed when they are met.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <exception cref="IOException">The folder cannot be made.</exception>
    public FileSessionStore(string folder, TimeSpan? expiry = null, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        (this.folder, this.expiry, this.time) = (Path.GetFullPath(folder), expiry, time ?? TimeProvider.System);
        Directory.CreateDirectory(this.folder);
    }

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(string id, CancellationToken cancellationToken = default)
    {
        string path = PathOf(id);
        try
        {
            if (expiry is { } most && time.GetUtcNow() - File.GetLastWriteTimeUtc(path) > most)
            {
                File.Delete(path);
                return null;
            }

            return await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async ValueTask WriteAsync(string id, ReadOnlyMemory<byte> conversation, CancellationToken cancellationToken = default)
    {
        string path = PathOf(id), aside = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            await using (FileStream file = new(aside, FileMode.CreateNew, FileAccess.Write))
            {
                await file.WriteAsync(conversation, cancellationToken).ConfigureAwait(false);
                file.Flush(flushToDisk: true);
            }

            File.SetLastWriteTimeUtc(aside, time.GetUtcNow().UtcDateTime);
            File.Move(aside, path, overwrite: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(string id, CancellationToken cancellationToken = default)
    {
        string path = PathOf(id);
        bool isThere = File.Exists(path);
        File.Delete(path);
        return ValueTask.FromResult(isThere);
    }

    // Ids come from requests: a file's name is made of their hash, never of their letters.
    private string PathOf(string id)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        return Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id))) + Extension);
    }
}
