using System.Runtime.ExceptionServices;

namespace Mamba.Managed.Threading;

/// <summary>Loops whose turns do not depend on each other, for what is done once; what every token needs runs in a <see cref="WorkerPool"/>.</summary>
internal static class ParallelLoop
{
    /// <summary>Runs the turns 0 to <paramref name="count"/> - 1; what the first that fails throws is thrown here as it is.</summary>
    /// <param name="count">How many turns.</param>
    /// <param name="threads">The most that run side by side; with 1 they run here, in order.</param>
    /// <param name="turn">One turn.</param>
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
