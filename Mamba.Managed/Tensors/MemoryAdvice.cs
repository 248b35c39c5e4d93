using System.Runtime.InteropServices;

namespace Mamba.Managed.Tensors;

/// <summary>Hints to the operating system about pages of memory: <c>madvise</c>. Systems without it ignore them.</summary>
/// <remarks>.NET has no API for it, so this calls the C library that .NET itself runs on.</remarks>
internal static unsafe partial class MemoryAdvice
{
    // MADV_DONTNEED and MADV_HUGEPAGE of Linux, see madvise(2).
    private const int DontNeed = 4;
    private const int HugePage = 14;

    /// <summary>Requests huge pages wherever a whole one fits.</summary>
    /// <param name="start">The first byte, at the start of a page.</param>
    /// <param name="bytes">How many bytes.</param>
    public static void RequestLargePages(void* start, nuint bytes) => Advise(start, bytes, HugePage);

    /// <summary>Drops pages of a file that is mapped for reading: they leave the process, and are read again when touched.</summary>
    /// <param name="start">The first byte, at the start of a page.</param>
    /// <param name="bytes">How many bytes; the last page is dropped as a whole.</param>
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
            // A C library without madvise: the hint is ignored.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SystemAdvise(void* start, nuint bytes, int advice);
}
