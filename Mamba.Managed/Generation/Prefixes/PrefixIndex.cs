namespace Mamba.Managed.Generation.Prefixes;

/// <summary>The files of a folder, as far as known: other processes add and delete some at any time.</summary>
internal sealed class PrefixIndex(string folder)
{
    // The clock of a file system may tick less often than files are made.
    private static readonly TimeSpan ClockStep = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Forgotten = TimeSpan.FromHours(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, (int Length, long Bytes, DateTime Used)> files = [];
    private readonly SortedSet<int> lengths = [];
    private long bytes;
    private DateTime listed;
    private DateTime changed;

    /// <summary>How many files there are, and their bytes.</summary>
    public (int Count, long Bytes) Totals
    {
        get
        {
            lock (gate)
            {
                return (files.Count, bytes);
            }
        }
    }

    /// <summary>The numbers of tokens in a range of which there are files.</summary>
    public int[] Lengths(int least, int most)
    {
        lock (gate)
        {
            return least > most ? [] : [.. lengths.GetViewBetween(least, most)];
        }
    }

    /// <summary>Whether there is a file.</summary>
    public bool Has(string name)
    {
        lock (gate)
        {
            return files.ContainsKey(name);
        }
    }

    /// <summary>Adds a file that has just been written or used.</summary>
    public void Add(string name, long size)
    {
        lock (gate)
        {
            Put(name, size, DateTime.UtcNow);
        }
    }

    /// <summary>Takes out a file that is gone.</summary>
    public void Remove(string name)
    {
        lock (gate)
        {
            if (files.Remove(name, out var file))
            {
                // Its length stays among those looked for until the next listing.
                bytes -= file.Bytes;
            }
        }
    }

    /// <summary>Lists the folder, if it has changed since or if it has to be.</summary>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    public void Refresh(bool always)
    {
        DateTime now = DateTime.UtcNow, folderChanged = Directory.GetLastWriteTimeUtc(folder);
        lock (gate)
        {
            if (!always && folderChanged == changed && listed - folderChanged > ClockStep)
            {
                return;
            }
        }

        FileInfo[] found = [.. new DirectoryInfo(folder).EnumerateFiles("*" + PrefixFile.Extension)];
        lock (gate)
        {
            files.Clear();
            lengths.Clear();
            bytes = 0;
            foreach (FileInfo file in found)
            {
                try
                {
                    Put(file.Name, file.Length, file.LastWriteTimeUtc);
                }
                catch (FileNotFoundException)
                {
                    // Another process has deleted it.
                }
            }

            (listed, changed) = (now, folderChanged);
        }
    }

    /// <summary>The files used least recently, so many that the rest has at most so many bytes.</summary>
    public string[] Oldest(long most)
    {
        lock (gate)
        {
            long over = bytes - most;
            List<string> oldest = [];
            foreach ((string name, (_, long size, _)) in files.OrderBy(file => file.Value.Used))
            {
                if (over <= 0)
                {
                    break;
                }

                over -= size;
                oldest.Add(name);
            }

            return [.. oldest];
        }
    }

    /// <summary>Files that a process which was killed has left half written.</summary>
    public string[] Abandoned() =>
    [
        .. new DirectoryInfo(folder).EnumerateFiles($"*{PrefixFile.Extension}.*.tmp")
            .Where(file => DateTime.UtcNow - file.LastWriteTimeUtc > Forgotten).Select(file => file.Name)
    ];

    private void Put(string name, long size, DateTime used)
    {
        if (PrefixFile.TryParse(name, out int length))
        {
            bytes += size - files.GetValueOrDefault(name).Bytes;
            files[name] = (length, size, used);
            lengths.Add(length);
        }
    }
}
