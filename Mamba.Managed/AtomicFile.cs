namespace Mamba.Managed;

/// <summary>Replaces a file as a whole: readers see the old contents or the new, never a part, also after a power failure.</summary>
internal static class AtomicFile
{
    /// <summary>Writes to a temporary name beside <paramref name="path"/>, flushes the file to the disk, renames it and flushes the folder.</summary>
    /// <remarks>A write that fails leaves the old file as it was and no temporary file behind. What returns is on the disk.</remarks>
    /// <param name="path">The file; replaced when it exists. Its folder must exist.</param>
    /// <param name="write">Writes the contents.</param>
    /// <exception cref="IOException">The path is a folder, or a pipe or device, which a file must not replace; or nothing can be written there.</exception>
    /// <exception cref="DirectoryNotFoundException">Its folder does not exist.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        RequireFile(path);
        string temporary = $"{path}.{Path.GetRandomFileName()}.tmp";

        // A process that ends by Environment.Exit or SIGTERM in the middle of a write runs no finally block, but tells those who ask.
        EventHandler remove = (_, _) => Remove(temporary);
        AppDomain.CurrentDomain.ProcessExit += remove;
        try
        {
            using (FileStream stream = new(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
        finally
        {
            AppDomain.CurrentDomain.ProcessExit -= remove;
        }

        DurableFolder.Flush(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    private static void RequireFile(string path)
    {
        string? found = Directory.Exists(path) ? "a folder" : UntrustedFile.IsSpecial(path) ? "a pipe or device" : null;
        if (found is not null)
        {
            throw new IOException($"{path}: expected the name of a file to write, found {found}");
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{path}: expected a folder that exists, found no {folder}");
        }
    }

    // Windows deletes no file that is open.
    private static void Remove(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
        }
    }
}
