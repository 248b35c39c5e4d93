using System.Runtime.InteropServices;

namespace Mamba.Managed.Tensors;

/// <summary>Hints to the system about pages of memory, by <c>madvise</c>; where there is no such call they change nothing.</summary>
/// <remarks>.NET has no call for it, so this is one to the C library that .NET itself runs on.</remarks>
internal static unsafe partial class MemoryAdvice
{
    // MADV_DONTNEED and MADV_HUGEPAGE, as in madvise(2) of Linux.
    private const int DontNeed = 4;
    private const int HugePage = 14;

    /// <summary>Asks for large pages wherever a whole one fits.</summary>
    /// <param name="start">The first byte, at the start of a page.</param>
    /// <param name="bytes">How many bytes.</param>
    public static void RequestLargePages(void* start, nuint bytes) => Advise(start, bytes, HugePage);

    /// <summary>Gives back pages of a file that is mapped for reading: they leave the process, and are read again when touched.</summary>
    /// <param name="start">The first byte, at the start of a page.</param>
    /// <param name="bytes">How many bytes; the last page goes as a whole.</param>
    public static void DiscardMappedPages(void* start, nuint bytes) => Advise(start, bytes, DontNeed);

    private static void Advise(void* start, nuint bytes, int advice)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        try
        {
            _ = SystemAdvise(start, bytes, advice);
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            // A system without this call takes no hints.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SystemAdvise(void* start, nuint bytes, int advice);
}
