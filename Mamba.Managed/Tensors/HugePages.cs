namespace Mamba.Managed.Tensors;

/// <summary>Requests transparent huge pages, so that streaming weights needs one TLB entry for 2 MB instead of one for every 4 kB.</summary>
/// <remarks>
/// Linux grants them on request where <c>/sys/kernel/mm/transparent_hugepage/enabled</c> is <c>madvise</c>. Elsewhere, and where the system
/// refuses, pages stay as they are.
/// </remarks>
internal static unsafe class HugePages
{
    /// <summary>The size of a huge page in bytes, and its alignment.</summary>
    public const uint Length = 2 << 20;

    /// <summary>Requests huge pages wherever a whole one fits.</summary>
    /// <param name="start">The first byte, at a multiple of <see cref="Length"/>.</param>
    /// <param name="bytes">How many bytes.</param>
    public static void Request(void* start, nuint bytes) => MemoryAdvice.RequestLargePages(start, bytes);
}
