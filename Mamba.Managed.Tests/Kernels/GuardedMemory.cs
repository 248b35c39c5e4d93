using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>Which end of an array touches a page that must not be touched.</summary>
public enum GuardedEnd
{
    Start,
    End,
}

/// <summary>Arrays that begin, or end, exactly at a page without access.</summary>
/// <remarks>
/// <code>| no access | unused ... array | no access |        or        | no access | array ... unused | no access |</code>
/// A load or store one element outside kills the process, which fails the run; a software prefetch outside does nothing. What is unused is filled
/// with NaN, so that a read on the other side shows in the result.
/// </remarks>
internal sealed unsafe class GuardedMemory(GuardedEnd end) : IDisposable
{
    private readonly List<(nint Start, nuint Length)> mappings = [];

    /// <summary>Uninitialized elements.</summary>
    public T* Allocate<T>(int count)
        where T : unmanaged
    {
        nuint page = (nuint)Environment.SystemPageSize, bytes = (nuint)(count * (long)sizeof(T)), room = Math.Max(1, (bytes + page - 1) / page) * page;
        byte* start = Pages.Reserve(room + (2 * page));
        mappings.Add(((nint)start, room + (2 * page)));
        byte* usable = start + page;
        Pages.Allow(usable, room);
        Unsafe.InitBlockUnaligned(usable, 0xFF, (uint)room);
        return (T*)(end == GuardedEnd.End ? usable + room - bytes : usable);
    }

    /// <summary>Numbers from -1 to 1.</summary>
    public float* Random(int count, int seed)
    {
        float* values = Allocate<float>(count);
        Random random = new(seed);
        for (int i = 0; i < count; i++)
        {
            values[i] = (random.NextSingle() * 2) - 1;
        }

        return values;
    }

    /// <summary>Zeros.</summary>
    public float* Zeros(int count)
    {
        float* values = Allocate<float>(count);
        new Span<float>(values, count).Clear();
        return values;
    }

    public void Dispose()
    {
        foreach ((nint start, nuint length) in mappings)
        {
            Pages.Release((byte*)start, length);
        }

        mappings.Clear();
    }
}

/// <summary>Pages of the operating system.</summary>
internal static unsafe partial class Pages
{
    // PROT_NONE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS.
    private const int None = 0;
    private const int ReadWrite = 3;
    private static readonly int privateAnonymous = OperatingSystem.IsMacOS() ? 0x1002 : 0x22;

    /// <summary>Address space without access.</summary>
    public static byte* Reserve(nuint length)
    {
        byte* start = OperatingSystem.IsWindows()
            ? VirtualAlloc(null, length, 0x3000, 0x01)
            : Map(null, length, None, privateAnonymous, -1, 0);
        return start is not null && (nint)start != -1 ? start : throw new InvalidOperationException("the system refused to reserve address space");
    }

    /// <summary>Makes pages readable and writable.</summary>
    public static void Allow(byte* start, nuint length)
    {
        bool isDone = OperatingSystem.IsWindows() ? VirtualProtect(start, length, 0x04, out _) != 0 : Protect(start, length, ReadWrite) == 0;
        if (!isDone)
        {
            throw new InvalidOperationException("the system refused to change the protection of a page");
        }
    }

    /// <summary>Gives address space back.</summary>
    public static void Release(byte* start, nuint length) =>
        _ = OperatingSystem.IsWindows() ? VirtualFree(start, 0, 0x8000) : Unmap(start, length);

    [LibraryImport("libc", EntryPoint = "mmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial byte* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(void* address, nuint length);

    [LibraryImport("kernel32")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial byte* VirtualAlloc(void* address, nuint length, uint type, uint protection);

    [LibraryImport("kernel32")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int VirtualProtect(void* address, nuint length, uint protection, out uint before);

    [LibraryImport("kernel32")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int VirtualFree(void* address, nuint length, uint type);
}
