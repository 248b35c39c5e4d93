using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mamba.Managed;

/// <summary>The one call of the C library that opens what .NET does not: a folder, and a pipe without waiting for its writer.</summary>
/// <remarks>The flags are those of open(2), which differ between systems. Windows has no such call, and needs none.</remarks>
internal static partial class UnixFile
{
    // O_CLOEXEC of Linux. It has another value on other systems, where a child process that starts meanwhile may hold the file.
    private const int CloseOnExecute = 0x80000;

    private static int Flags => OperatingSystem.IsLinux() || OperatingSystem.IsAndroid() ? CloseOnExecute : 0;

    // O_NONBLOCK; 0 where its value is not known.
    private static int AtOnce =>
        OperatingSystem.IsLinux() || OperatingSystem.IsAndroid() ? 0x800
        : OperatingSystem.IsMacOS() || OperatingSystem.IsIOS() || OperatingSystem.IsTvOS() || OperatingSystem.IsFreeBSD() ? 0x4
        : 0;

    /// <summary>Opens a path for reading.</summary>
    /// <returns>A handle that is invalid where the system refused; the reason is the last error of the platform. Null where there is no such call.</returns>
    public static SafeFileHandle? Open(string path) => Open(path, Flags);

    /// <summary>Opens a file for reading; where it is a pipe, without waiting for a writer.</summary>
    /// <returns>Null where the system has no such call or refused: .NET's own way of opening tells why.</returns>
    public static FileStream? OpenAtOnce(string path)
    {
        SafeFileHandle? handle = AtOnce == 0 ? null : Open(path, Flags | AtOnce);
        if (handle is not { IsInvalid: false })
        {
            handle?.Dispose();
            return null;
        }

        try
        {
            return new FileStream(handle, FileAccess.Read, bufferSize: 0);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private static SafeFileHandle? Open(string path, int flags)
    {
        if (OperatingSystem.IsWindows() || OperatingSystem.IsBrowser() || OperatingSystem.IsWasi())
        {
            return null;
        }

        try
        {
            return new SafeFileHandle(OpenFile(path, flags), ownsHandle: true);
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int OpenFile(string path, int flags);
}
