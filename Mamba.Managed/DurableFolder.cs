using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mamba.Managed;

/// <summary>Makes what happened to the names in a folder, as a rename, survive a power failure.</summary>
/// <remarks>
/// On Unix the names in a folder are data of the folder, which is flushed like a file. .NET opens no folder, so opening it is one call to the C library
/// that .NET itself runs on. Windows neither needs nor offers this: its file systems keep a journal of names.
/// </remarks>
internal static partial class DurableFolder
{
    // O_CLOEXEC and EACCES, as in open(2). The first has another value on other systems, where a child process that starts meanwhile may hold the folder.
    private const int CloseOnExecute = 0x80000;
    private const int NoPermission = 13;

    /// <summary>Makes a folder, and those above it, unless they are there already; they survive a power failure.</summary>
    public static void Create(string folder)
    {
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (Directory.Exists(path))
        {
            return;
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
        if (OperatingSystem.IsWindows() || OperatingSystem.IsBrowser() || OperatingSystem.IsWasi())
        {
            return;
        }

        int opened;
        try
        {
            opened = Open(folder, OperatingSystem.IsLinux() ? CloseOnExecute : 0);
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            // A system without this call has no such folders.
            return;
        }

        if (opened < 0)
        {
            int error = Marshal.GetLastPInvokeError();

            // A folder that may be written but not read cannot be opened, nor can its names be flushed.
            if (error != NoPermission)
            {
                throw new IOException($"{folder}: the folder could not be flushed: {Marshal.GetPInvokeErrorMessage(error)}");
            }

            return;
        }

        using SafeFileHandle handle = new(opened, ownsHandle: true);
        RandomAccess.FlushToDisk(handle);
    }

    /// <summary>open(2), with which .NET opens neither folders nor pipes that have no writer; negative where it fails.</summary>
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int Open(string path, int flags);
}
