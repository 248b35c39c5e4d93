using Microsoft.Win32.SafeHandles;

namespace Mamba.Managed;

/// <summary>Opens files that have a size: a pipe would make the reader wait for ever, and a device has no end.</summary>
internal static class RegularFile
{
    // O_NONBLOCK and O_CLOEXEC of Linux.
    private const int WithoutWaiting = 0x800 | 0x80000;

    /// <summary>Opens a file for reading, unbuffered; a link is followed.</summary>
    /// <exception cref="FileNotFoundException">There is no such file, or it is a folder.</exception>
    /// <exception cref="InvalidDataException">It is a pipe, a device or a socket.</exception>
    public static FileStream Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            throw new FileNotFoundException($"{path}: expected a file, found a folder", path);
        }

        RefusePipe(path);
        FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        try
        {
            // A device that has contents has no length.
            if (!file.CanSeek || (file.Length == 0 && file.ReadByte() >= 0))
            {
                throw NoSize(path);
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    // Opening a pipe waits for its writer, except in this way, which .NET does not offer.
    private static void RefusePipe(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using SafeFileHandle handle = new(DurableFolder.Open(path, WithoutWaiting), ownsHandle: true);

        // What cannot be opened gets its error from the open that follows.
        if (!handle.IsInvalid)
        {
            using FileStream probe = new(handle, FileAccess.Read, bufferSize: 0);
            if (!probe.CanSeek)
            {
                throw NoSize(path);
            }
        }
    }

    private static InvalidDataException NoSize(string path) =>
        new($"{path}: expected a file, found a pipe or a device, which has no size; copy its contents to a file");
}
