using System.Collections.Concurrent;
using Mamba.Managed.Kernels;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Tests.Kernels;

public class WorkQueueTests
{
    private const int Products = 50;
    private const int Count = 37;

    [Test]
    public void Every_item_goes_to_one_worker([Values(1, 2, 3, 4)] int workers)
    {
        using WorkerPool pool = new(workers);
        using GemmScratch scratch = new(workers, 1);
        ConcurrentBag<(int Product, int Item)> taken = [];
        pool.Run(new LambdaRegion(worker =>
        {
            for (int product = 0; product < Products; product++)
            {
                WorkQueue queue = scratch.StartQueue(worker, Count);
                for (int item = queue.Take(); item >= 0; item = queue.Take())
                {
                    taken.Add((product, item));
                }

                worker.Barrier();
            }
        }));
        Assert.That(taken, Has.Count.EqualTo(Products * Count));
        Assert.That(taken.Distinct().Count(), Is.EqualTo(taken.Count));
    }

    [Test]
    public void A_worker_takes_its_own_items_first_and_then_those_of_one_that_does_not_come()
    {
        using GemmScratch scratch = new(2, 1);
        WorkQueue queue = scratch.StartQueue(new Worker(null, 1, 2), 5);
        Assert.That(Enumerable.Range(0, 7).Select(_ => queue.Take()), Is.EqualTo([2, 3, 4, 0, 1, -1, -1]));
    }

    [Test]
    public void A_product_that_failed_is_forgotten()
    {
        using GemmScratch scratch = new(2, 1);
        Assert.That(scratch.StartQueue(new Worker(null, 0, 2), 2).Take(), Is.Zero);
        scratch.Reserve(0);
        WorkQueue first = scratch.StartQueue(new Worker(null, 0, 2), 2), second = scratch.StartQueue(new Worker(null, 1, 2), 2);
        Assert.That(new[] { first.Take(), second.Take(), first.Take(), second.Take() }, Is.EqualTo([0, 1, -1, -1]));
    }
}
