namespace Mamba.Managed;

/// <summary>A folder that is written under a temporary name and renamed when it is whole; it is removed if that does not come about.</summary>
/// <remarks>A process that ends by <see cref="Environment.Exit"/> runs no finally block, but tells those who ask; nothing is renamed after that.</remarks>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly Lock gate = new();
    private readonly string final;
    private bool isOver;

    /// <summary>Makes an empty folder, whose name is that of <paramref name="final"/> with <c>.tmp</c>.</summary>
    public TemporaryFolder(string final)
    {
        (this.final, Path) = (final, final + ".tmp");
        Directory.CreateDirectory(Path);
        AppDomain.CurrentDomain.ProcessExit += End;
    }

    /// <summary>Where to write.</summary>
    public string Path { get; }

    /// <summary>Gives the folder its name, in place of a damaged one that has it, and flushes the names around it.</summary>
    /// <exception cref="IOException">The folder could not be renamed, or the process is ending.</exception>
    public void Complete()
    {
        lock (gate)
        {
            if (isOver)
            {
                throw new IOException($"{final}: expected to be written before the process ends, found it ending");
            }

            if (Directory.Exists(final))
            {
                Directory.Delete(final, recursive: true);
            }

            Directory.Move(Path, final);
            isOver = true;
        }

        DurableFolder.Flush(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(final))!);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= End;
        End(null, EventArgs.Empty);
    }

    private void End(object? sender, EventArgs arguments)
    {
        lock (gate)
        {
            if (isOver)
            {
                return;
            }

            isOver = true;
            try
            {
                Directory.Delete(Path, recursive: true);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // The next checkpoint removes it.
            }
        }
    }
}
