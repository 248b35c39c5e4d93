namespace Mamba.Managed.Tensors;

/// <summary>Asks the system for large pages, so that a processor that streams weights has one address to translate every 2 MB instead of every 4 kB.</summary>
/// <remarks>
/// Linux gives them on request where <c>/sys/kernel/mm/transparent_hugepage/enabled</c> says <c>madvise</c>. Elsewhere, and where the system
/// refuses, pages stay as they are.
/// </remarks>
internal static unsafe class HugePages
{
    /// <summary>Bytes of a large page, and their alignment.</summary>
    public const uint Length = 2 << 20;

    /// <summary>Asks for large pages wherever a whole one fits.</summary>
    /// <param name="start">The first byte, at a multiple of <see cref="Length"/>.</param>
    /// <param name="bytes">How many bytes.</param>
    public static void Request(void* start, nuint bytes) => MemoryAdvice.RequestLargePages(start, bytes);
}
