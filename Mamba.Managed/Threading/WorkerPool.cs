using System.Runtime.ExceptionServices;

namespace Mamba.Managed.Threading;

/// <summary>A bounded set of threads that run a region together with the caller; idle threads sleep.</summary>
/// <remarks>
/// One region runs at a time: a second caller waits for the first. The threads are background threads and end when the pool is disposed;
/// <see cref="Dispose"/> waits for the running region. A region must not call <see cref="Run"/> or <see cref="Dispose"/> of its own pool: it
/// would wait for itself.
/// </remarks>
internal sealed class WorkerPool : IDisposable
{
    /// <summary>The most workers of a pool.</summary>
    public const int MostWorkers = 1024;

    // About 50 us of spinning before sleeping: longer than the gap between two tokens, and too short to matter for power.
    private const int SpinsBeforeSleep = 2000;

    // About 10 us: longer than workers wait for one another when each has its own processor.
    private const int SpinsBeforeYield = 1000;

    // Held while a region runs and while the threads end, so that no thread ends in the middle of a region.
    private readonly Lock gate = new();
    private readonly Thread[] threads;
    private readonly SemaphoreSlim[] bells;
    private readonly int[] sleeping;
    private IRegion? region;
    private ExceptionDispatchInfo? failure;
    private volatile int round;
    private volatile int barrierRound;
    private volatile bool disposed;
    private int arrived;
    private int finished;

    /// <summary>Starts <paramref name="threads"/> - 1 threads; the caller of <see cref="Run"/> is the last.</summary>
    /// <param name="threads">Workers of a region; 0 for one per processor.</param>
    public WorkerPool(int threads = 0)
        : this(threads, thread => thread.UnsafeStart())
    {
    }

    /// <summary>As <see cref="WorkerPool(int)"/>, with a delegate that starts each thread, so that tests can make it fail.</summary>
    internal WorkerPool(int threads, Action<Thread> start)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, MostWorkers);
        Count = threads == 0 ? Environment.ProcessorCount : threads;
        this.threads = new Thread[Count - 1];
        bells = new SemaphoreSlim[Count - 1];
        sleeping = new int[Count - 1];
        for (int i = 0; i < bells.Length; i++)
        {
            bells[i] = new SemaphoreSlim(0);
        }

        int started = 0;
        try
        {
            for (; started < this.threads.Length; started++)
            {
                int index = started;
                this.threads[index] = new Thread(() => Serve(index)) { IsBackground = true, Name = $"Mamba worker {index + 1}" };
                start(this.threads[index]);
            }
        }
        catch
        {
            // The system cannot start another thread: those already started must end.
            End(started);
            throw;
        }
    }

    /// <summary>Workers of a region, the caller included.</summary>
    public int Count { get; }

    /// <summary>Runs a region on every worker and returns when all are done.</summary>
    /// <remarks>The exception of the first worker that fails is rethrown here; the others end at their next barrier.</remarks>
    /// <exception cref="ObjectDisposedException">The pool has been disposed.</exception>
    /// <exception cref="InvalidOperationException">The call comes from a region of this pool.</exception>
    public void Run(IRegion work)
    {
        Enter();
        try
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            region = work;
            failure = null;
            arrived = 0;
            finished = 0;
            Wake();
            Execute(0);
            for (int spins = 0; Volatile.Read(ref finished) != threads.Length; spins++)
            {
                Wait(spins);
            }

            region = null;
            failure?.Throw();
        }
        finally
        {
            gate.Exit();
        }
    }

    /// <inheritdoc/>
    /// <remarks>Returns when the running region is over and every thread has ended; later calls of <see cref="Run"/> throw <see cref="ObjectDisposedException"/>.</remarks>
    /// <exception cref="InvalidOperationException">The call comes from a region of this pool.</exception>
    public void Dispose()
    {
        Enter();
        try
        {
            if (!disposed)
            {
                End(threads.Length);
            }
        }
        finally
        {
            gate.Exit();
        }
    }

    /// <exception cref="ObjectDisposedException">The pool has been disposed.</exception>
    public void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(disposed, this);

    internal void Barrier()
    {
        int current = barrierRound;
        if (Interlocked.Increment(ref arrived) == Count)
        {
            arrived = 0;
            barrierRound = current + 1;
            return;
        }

        // A worker that failed never reaches the barrier; the others must not wait for it.
        for (int spins = 0; barrierRound == current; spins++)
        {
            if (Volatile.Read(ref failure) is not null)
            {
                throw new OperationCanceledException("another worker of the region failed");
            }

            Wait(spins);
        }
    }

    private void Enter()
    {
        bool within = gate.IsHeldByCurrentThread;
        if (!within && gate.TryEnter())
        {
            return;
        }

        if (within || Array.IndexOf(threads, Thread.CurrentThread) >= 0)
        {
            throw new InvalidOperationException("expected a call from outside the pool's regions, found one from within; run or dispose it where the region was started");
        }

        gate.Enter();
    }

    // Ends the first threads, as many as were started; none of them is in a region.
    private void End(int started)
    {
        disposed = true;
        Wake();
        for (int i = 0; i < started; i++)
        {
            threads[i].Join();
        }

        foreach (SemaphoreSlim bell in bells)
        {
            bell.Dispose();
        }
    }

    // Usually the others arrive within less time than a system call takes; only with more workers than processors is it worth yielding.
    private static void Wait(int spins)
    {
        if (spins < SpinsBeforeYield)
        {
            Thread.SpinWait(4);
        }
        else
        {
            Thread.Yield();
        }
    }

    private void Wake()
    {
        Interlocked.Increment(ref round);
        for (int i = 0; i < sleeping.Length; i++)
        {
            if (Interlocked.Exchange(ref sleeping[i], 0) == 1)
            {
                Ring(bells[i]);
            }
        }
    }

    // An interrupted caller must still wake the workers: a worker that sleeps on would never finish the region.
    private static void Ring(SemaphoreSlim bell)
    {
        for (bool interrupted = false; ;)
        {
            try
            {
                bell.Release();
                if (interrupted)
                {
                    Thread.CurrentThread.Interrupt();
                }

                return;
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true;
            }
        }
    }

    private void Serve(int index)
    {
        int seen = 0;
        while (true)
        {
            AwaitRound(index, seen);
            if (disposed)
            {
                return;
            }

            seen++;
            Execute(index + 1);
            Interlocked.Increment(ref finished);
        }
    }

    private void AwaitRound(int index, int seen)
    {
        for (int spins = 0; round == seen; spins++)
        {
            if (spins < SpinsBeforeSleep)
            {
                Thread.SpinWait(8);
                continue;
            }

            // The flag is set before the last check of the round, so a round that begins in between wakes this worker.
            Interlocked.Exchange(ref sleeping[index], 1);
            if (round != seen && Interlocked.Exchange(ref sleeping[index], 0) == 1)
            {
                return;
            }

            bells[index].Wait();
        }
    }

    private void Execute(int index)
    {
        try
        {
            region!.Execute(new Worker(this, index, Count));
        }
#pragma warning disable CA1031 // Whatever a worker throws is thrown again by Run, on the caller's thread.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(exception), null);
        }
    }
}
