using Mamba.Managed.Cli;

// A signal is handled by a thread of the pool, which must not wait for one that computes.
const int LeastPoolThreads = 4;
ThreadPool.GetMinThreads(out int workers, out int ports);
ThreadPool.SetMinThreads(Math.Max(workers, LeastPoolThreads), ports);

StandardStreams.Use();
using Interruption interruption = new();
return interruption.ExitCodeOf(await MambaCommand.RunAsync(args, Console.Out, Console.Error, interruption).ConfigureAwait(false));
