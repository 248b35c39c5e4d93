using Mamba.Managed.Tests.Kernels;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Tests.Threading;

/// <summary>A pool that is disposed, shared, misused or that lacks a thread neither hangs nor leaves a thread behind.</summary>
/// <remarks>Every test runs on a thread of its own with a time limit: what would hang fails instead, and its threads are background threads.</remarks>
public class WorkerPoolTests
{
    [Test]
    public void Dispose_waits_for_the_region_that_runs([Values(1, 2, 4)] int threads) => TimeLimit.Run(() =>
    {
        for (int round = 0; round < 60; round++)
        {
            WorkerPool pool = new(threads);
            int inside = 0, regions = 0;
            Exception? seen = null;
            Thread caller = TimeLimit.Start(() =>
            {
                try
                {
                    while (true)
                    {
                        pool.Run(new LambdaRegion(worker =>
                        {
                            Interlocked.Increment(ref inside);
                            worker.Barrier();
                            Interlocked.Decrement(ref inside);
                        }));
                        Interlocked.Increment(ref regions);
                    }
                }
                catch (ObjectDisposedException error)
                {
                    seen = error;
                }
            });
            SpinWait.SpinUntil(() => Volatile.Read(ref regions) > round);
            pool.Dispose();
            Assert.That(inside, Is.Zero);
            caller.Join();
            Assert.That(seen, Is.InstanceOf<ObjectDisposedException>());
        }
    });

    [Test]
    public void Callers_take_turns([Values(1, 3)] int threads) => TimeLimit.Run(() =>
    {
        using WorkerPool pool = new(threads);
        int[] shares = new int[threads];
        Thread[] callers = [.. Enumerable.Range(0, 4).Select(_ => TimeLimit.Start(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                pool.Run(new LambdaRegion(worker =>
                {
                    worker.Barrier();
                    shares[worker.Index]++;
                    worker.Barrier();
                }));
            }
        }))];
        Array.ForEach(callers, caller => caller.Join());
        Assert.That(shares, Is.All.EqualTo(400));
    });

    [Test]
    public void A_worker_that_fails_ends_the_others_and_the_pool_goes_on([Values(1, 2, 5)] int threads) => TimeLimit.Run(() =>
    {
        using WorkerPool pool = new(threads);
        for (int round = 0; round < 60; round++)
        {
            int bad = round % threads, whole = 0;
            Assert.That(
                () => pool.Run(new LambdaRegion(worker =>
                {
                    worker.Barrier();
                    if (worker.Index == bad)
                    {
                        throw new InvalidDataException("bad");
                    }

                    worker.Barrier();
                })),
                Throws.InstanceOf<InvalidDataException>());
            pool.Run(new LambdaRegion(worker =>
            {
                worker.Barrier();
                Interlocked.Increment(ref whole);
            }));
            Assert.That(whole, Is.EqualTo(threads));
        }
    });

    [Test]
    public void A_region_can_neither_run_another_nor_dispose_its_pool([Values(1, 2)] int threads) => TimeLimit.Run(() =>
    {
        using WorkerPool pool = new(threads);
        for (int index = 0; index < threads; index++)
        {
            int from = index;
            Assert.That(() => pool.Run(From(() => pool.Run(From(() => { })))), Throws.InvalidOperationException);
            Assert.That(() => pool.Run(From(pool.Dispose)), Throws.InvalidOperationException);

            LambdaRegion From(Action action) => new(worker =>
            {
                if (worker.Index == from)
                {
                    action();
                }
            });
        }
    });

    [Test]
    public void Callers_that_are_interrupted_finish_or_never_begin() => TimeLimit.Run(() =>
    {
        using WorkerPool pool = new(2);
        bool stop = false;
        Thread caller = TimeLimit.Start(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                try
                {
                    pool.Run(new LambdaRegion(worker => worker.Barrier()));

                    // The worker falls asleep about as often as not.
                    Thread.SpinWait(20_000);
                    Thread.Sleep(0);
                }
                catch (ThreadInterruptedException)
                {
                    // The next round goes on.
                }
            }
        });
        for (int i = 0; i < 2000; i++)
        {
            caller.Interrupt();
            Thread.Yield();
        }

        Volatile.Write(ref stop, true);
        caller.Join();
    });

    [Test]
    public void Nothing_runs_after_dispose_which_may_be_called_again([Values(1, 2)] int threads) => TimeLimit.Run(() =>
    {
        WorkerPool pool = new(threads);
        Thread[] twice = [TimeLimit.Start(pool.Dispose), TimeLimit.Start(pool.Dispose)];
        Array.ForEach(twice, thread => thread.Join());
        pool.Dispose();
        Assert.That(() => pool.Run(new LambdaRegion(_ => { })), Throws.InstanceOf<ObjectDisposedException>());
    });

    [Test]
    public void A_thread_that_cannot_start_leaves_none_of_the_others() => TimeLimit.Run(() =>
    {
        List<Thread> started = [];
        Assert.That(
            () => new WorkerPool(6, thread =>
            {
                if (started.Count == 3)
                {
                    throw new ThreadStateException("no thread left");
                }

                started.Add(thread);
                thread.Start();
            }),
            Throws.InstanceOf<ThreadStateException>());
        Assert.That(started.Select(thread => thread.IsAlive), Is.All.False);
    });
}
