using System.Diagnostics;
using Mamba.Managed.Models;

namespace Mamba.Managed.Generation.Prefixes;

/// <summary>States in files, for later and for other processes. A thread of its own writes them; an engine never waits for a file.</summary>
/// <remarks>
/// A file is written aside and renamed, so that two processes may write the same; it is named by what it holds, so that it does not matter who was last.
/// What is read is compared with the tokens asked for. Errors of the file system fail no request: they are told in the metrics.
/// </remarks>
internal sealed class PrefixFolder : IDisposable
{
    private const int MostWaiting = 16;
    private static readonly TimeSpan ListingLasts = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PauseAfterError = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly object gate = new();
    private readonly Queue<PrefixWrite> waiting = [];
    private readonly string folder;
    private readonly long budget;
    private readonly Action<string, Action<Stream>> write;
    private readonly PrefixIndex index;
    private readonly Thread thread;
    private PrefixCacheMetrics counts = new();
    private long? paused;
    private long? refreshed;
    private bool isWriting;
    private bool isDisposed;

    /// <summary>Makes the folder if need be, and starts the thread.</summary>
    public PrefixFolder(string folder, long budget, Action<string, Action<Stream>> write)
    {
        (this.folder, this.budget, this.write) = (Path.GetFullPath(folder), budget, write);
        Directory.CreateDirectory(this.folder);
        index = new(this.folder);
        thread = new(Run) { IsBackground = true, Name = "Mamba prefixes" };
        thread.Start();
    }

    /// <summary>Counts of files.</summary>
    public PrefixCacheMetrics Metrics
    {
        get
        {
            (int files, long bytes) = index.Totals;
            lock (gate)
            {
                return counts with { Files = files, FileBytes = bytes };
            }
        }
    }

    /// <summary>Whether there may be a file of so many tokens. It reads nothing.</summary>
    public bool MayHave(int least, int most)
    {
        lock (gate)
        {
            if (refreshed is not long then || Stopwatch.GetElapsedTime(then) > ListingLasts)
            {
                return least <= most;
            }
        }

        return index.Lengths(least, most).Length > 0;
    }

    /// <summary>The longest state of the beginning of a text; null for none.</summary>
    /// <param name="tokens">The text; its last token does not count.</param>
    /// <param name="least">Shorter ones do not count.</param>
    /// <param name="owner">Whose state.</param>
    /// <param name="like">One of the owner's, for its sizes.</param>
    public StoredState? Read(int[] tokens, int least, PrefixOwner owner, SequenceState like)
    {
        Try(() => Refresh(always: false));
        int[] lengths = index.Lengths(least, tokens.Length - 1);
        string[] names = [.. PrefixFile.Names(tokens, lengths, owner)];
        for (int i = names.Length - 1; i >= 0; i--)
        {
            if (index.Has(names[i]) && Read(names[i], tokens.AsSpan(0, lengths[i]), owner, like) is { } state)
            {
                return state;
            }
        }

        return null;
    }

    /// <summary>Writes a state soon, unless too many wait; the state is held until then.</summary>
    public void Write(PrefixWrite item)
    {
        lock (gate)
        {
            if (isDisposed || waiting.Count >= MostWaiting || (paused is long then && Stopwatch.GetElapsedTime(then) < PauseAfterError))
            {
                counts = counts with { FilesSkipped = counts.FilesSkipped + 1 };
                return;
            }

            item.State.Hold();
            waiting.Enqueue(item);
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>Waits until nothing is left to write.</summary>
    public void Flush()
    {
        lock (gate)
        {
            while (waiting.Count > 0 || isWriting)
            {
                Monitor.Wait(gate);
            }
        }
    }

    /// <summary>Writes what waits and ends the thread; a file system that hangs is not waited for.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isDisposed = true;
            Monitor.PulseAll(gate);
        }

        thread.Join(Patience);
    }

    private void Run()
    {
        Try(() => Array.ForEach(index.Abandoned(), Delete));
        while (Next() is { } item)
        {
            Try(() => WriteNow(item));
            item.Release([item.State]);
            lock (gate)
            {
                isWriting = false;
                Monitor.PulseAll(gate);
            }
        }
    }

    private PrefixWrite? Next()
    {
        lock (gate)
        {
            while (waiting.Count == 0 && !isDisposed)
            {
                Monitor.Wait(gate);
            }

            isWriting = waiting.Count > 0;
            return isWriting ? waiting.Dequeue() : null;
        }
    }

    private void WriteNow(PrefixWrite item)
    {
        Refresh(always: false);
        string name = PrefixFile.Names(item.Tokens, [item.Tokens.Length], item.Owner).Single(), path = Path.Combine(folder, name);
        if (index.Has(name))
        {
            Touch(path);
            return;
        }

        write(path, stream => PrefixFile.Write(stream, item.Owner, item.Tokens, item.State));
        index.Add(name, new FileInfo(path).Length);
        lock (gate)
        {
            counts = counts with { FilesWritten = counts.FilesWritten + 1, FolderProblem = null };
            paused = null;
        }

        if (index.Totals.Bytes > budget)
        {
            // Others may have used files since they were listed. A tenth more goes, so that the folder is not listed for each file.
            Refresh(always: true);
            Array.ForEach(index.Oldest(budget - (budget / 10)), Delete);
        }
    }

    private StoredState? Read(string name, ReadOnlySpan<int> tokens, PrefixOwner owner, SequenceState like)
    {
        string path = Path.Combine(folder, name);
        try
        {
            StoredState state = PrefixFile.Read(path, owner, tokens, like);
            Touch(path);
            return state;
        }
        catch (InvalidDataException)
        {
            lock (gate)
            {
                counts = counts with { FilesRefused = counts.FilesRefused + 1 };
            }

            Try(() => Delete(name));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            index.Remove(name);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Report(error);
        }

        return null;
    }

    private void Refresh(bool always)
    {
        index.Refresh(always);
        lock (gate)
        {
            refreshed = Stopwatch.GetTimestamp();
        }
    }

    // No file is deleted twice with an error: another process may be doing the same.
    private void Delete(string name)
    {
        index.Remove(name);
        File.Delete(Path.Combine(folder, name));
    }

    // The time of the last write is that of the last use: file systems do not keep the time of the last access reliably.
    private static void Touch(string path)
    {
        try
        {
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It belongs to another process, or is gone.
        }
    }

    private void Try(Action action)
    {
        try
        {
            action();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Report(error);
        }
    }

    private void Report(Exception error)
    {
        lock (gate)
        {
            paused = Stopwatch.GetTimestamp();
            counts = counts with { FolderProblem = $"{folder}: expected a folder to keep states in, found an error; free space or give it rights: {error.Message}" };
        }
    }
}

/// <summary>A state to be written.</summary>
/// <param name="Owner">Whose it is.</param>
/// <param name="Tokens">What it has seen.</param>
/// <param name="State">The state.</param>
/// <param name="Release">Takes it back afterwards.</param>
internal sealed record PrefixWrite(PrefixOwner Owner, int[] Tokens, StoredState State, Action<List<StoredState>> Release);
