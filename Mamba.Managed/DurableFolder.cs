using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mamba.Managed;

/// <summary>Makes what happened to the names in a folder, as a rename, survive a power failure.</summary>
/// <remarks>
/// On Unix the names in a folder are data of the folder, which is flushed like a file. .NET opens no folder, so opening it is one call to the C library
/// that .NET itself runs on. Windows neither needs nor offers this: its file systems keep a journal of names.
/// </remarks>
internal static class DurableFolder
{
    // EACCES, as in open(2).
    private const int NoPermission = 13;

    /// <summary>Makes a folder, and those above it, unless they are there already; they survive a power failure.</summary>
    /// <exception cref="IOException">There is a file of that name, or the folder cannot be made.</exception>
    public static void Create(string folder)
    {
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (Directory.Exists(path))
        {
            return;
        }

        if (File.Exists(path))
        {
            throw new IOException($"{folder}: expected a folder, or a name that is free, found a file");
        }

        string? parent = Path.GetDirectoryName(path);
        if (parent is null)
        {
            Directory.CreateDirectory(path);
            return;
        }

        Create(parent);
        Directory.CreateDirectory(path);
        Flush(parent);
    }

    /// <summary>Flushes the names in a folder to the disk.</summary>
    /// <exception cref="IOException">The system could not write them.</exception>
    public static void Flush(string folder)
    {
        using SafeFileHandle? handle = UnixFile.Open(folder);
        if (handle is { IsInvalid: false })
        {
            RandomAccess.FlushToDisk(handle);
            return;
        }

        // A system without this call has no such folders, and a folder that may be written but not read cannot be opened, nor can its names be flushed.
        int error = Marshal.GetLastPInvokeError();
        if (handle is not null && error != NoPermission)
        {
            throw new IOException($"{folder}: the folder could not be flushed: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }
}
