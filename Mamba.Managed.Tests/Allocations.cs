namespace Mamba.Managed.Tests;

/// <summary>Counts what code takes from the managed heap.</summary>
internal static class Allocations
{
    private const int Rounds = 5;

    /// <summary>Bytes that this thread allocates in an action, the least of a few rounds: what the runtime allocates once, for itself, is not the code's.</summary>
    public static long Of(Action action)
    {
        long least = long.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
