using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>Software prefetch, for accesses that the hardware prefetcher does not predict. Does nothing where there is no such instruction.</summary>
internal static unsafe class Prefetch
{
    /// <summary>Bytes of a cache line.</summary>
    public const int LineBytes = 64;

    /// <summary>One cache line into L1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Line(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    /// <summary>One cache line into L2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SecondLevelLine(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(address);
        }
    }

    /// <summary>All cache lines of a run of bytes into L2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Lines(void* start, long bytes)
    {
        if (Sse.IsSupported)
        {
            byte* end = (byte*)start + bytes;
            for (byte* line = (byte*)start; line < end; line += LineBytes)
            {
                Sse.Prefetch1(line);
            }
        }
    }
}
