using System.Runtime.ExceptionServices;

namespace Mamba.Managed.Threading;

/// <summary>Loops with independent iterations, for work that is done once; the work of every token runs in a <see cref="WorkerPool"/>.</summary>
internal static class ParallelLoop
{
    /// <summary>Runs the iterations 0 to <paramref name="count"/> - 1. If one throws, its exception is rethrown here, not wrapped.</summary>
    /// <param name="count">The number of iterations.</param>
    /// <param name="threads">The most iterations that run at once; with 1 they run on the calling thread, in order.</param>
    /// <param name="turn">One iteration.</param>
    public static void For(int count, int threads, Action<int> turn)
    {
        if (threads == 1)
        {
            for (int i = 0; i < count; i++)
            {
                turn(i);
            }

            return;
        }

        try
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, turn);
        }
        catch (AggregateException several)
        {
            ExceptionDispatchInfo.Throw(several.InnerExceptions[0]);
        }
    }
}
