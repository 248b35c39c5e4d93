namespace Mamba.Managed.Tests;

/// <summary>Runs what would hang if it were wrong: on a thread that does not keep the process, for so long.</summary>
internal static class TimeLimit
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Runs an action on another thread; fails when it takes longer than the limit, or fails itself.</summary>
    /// <param name="action">What is run.</param>
    /// <param name="stackBytes">The thread's stack; 0 for the usual one.</param>
    public static void Run(Action action, int stackBytes = 0)
    {
        Exception? failure = null;
        Thread thread = Start(() =>
        {
            try
            {
                using (new NUnit.Framework.Internal.TestExecutionContext.IsolatedContext())
                {
                    action();
                }
            }
#pragma warning disable CA1031 // Told on the thread of the test.
            catch (Exception error)
#pragma warning restore CA1031
            {
                failure = error;
            }
        }, stackBytes);
        Assert.That(thread.Join(Limit), Is.True, "hangs");
        Assert.That(failure, Is.Null);
    }

    /// <summary>Starts a background thread.</summary>
    public static Thread Start(Action action, int stackBytes = 0)
    {
        Thread thread = new(() => action(), stackBytes) { IsBackground = true };
        thread.Start();
        return thread;
    }
}
