using System.Runtime.InteropServices;

namespace Mamba.Managed;

/// <summary>Opens files that have a size: a pipe would make the reader wait for ever, and a device has no end.</summary>
internal static partial class RegularFile
{
    // AT_FDCWD, STATX_TYPE, the length of struct statx and the offset of stx_mode in it, S_IFMT and the kinds, as in statx(2) and inode(7) on all processors.
    private const int CurrentFolder = -100;
    private const uint TypeOnly = 1;
    private const int StatusLength = 256;
    private const int ModeOffset = 28;
    private const int KindMask = 0xF000;
    private const int Pipe = 0x1000;
    private const int CharacterDevice = 0x2000;
    private const int BlockDevice = 0x6000;
    private const int Socket = 0xC000;

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

        // Looked at before it is opened, since opening a pipe waits for its writer.
        return OtherKind(path) is { } kind
            ? throw new InvalidDataException($"{path}: expected a file, found a {kind}, which has no size; copy its contents to a file")
            : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
    }

    /// <summary>What a path is if it is neither a file nor a folder; null also where the system does not say.</summary>
    public static string? OtherKind(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        byte[] status = new byte[StatusLength];
        try
        {
            if (Status(CurrentFolder, path, 0, TypeOnly, status) != 0)
            {
                return null;
            }
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }

        return (MemoryMarshal.Read<ushort>(status.AsSpan(ModeOffset)) & KindMask) switch
        {
            Pipe => "pipe",
            CharacterDevice or BlockDevice => "device",
            Socket => "socket",
            _ => null,
        };
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Status(int folder, string path, int flags, uint mask, [Out] byte[] status);
}
