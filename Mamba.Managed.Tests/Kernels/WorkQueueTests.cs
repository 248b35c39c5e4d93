using System.Collections.Concurrent;
using Mamba.Managed.Kernels;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Tests.Kernels;

public class WorkQueueTests
{
    private const int Products = 50;
    private const int Count = 37;

    [Test]
    public void Every_piece_goes_to_one_worker([Values(1, 2, 3, 4)] int workers)
    {
        using WorkerPool pool = new(workers);
        using GemmScratch scratch = new(workers, 1);
        ConcurrentBag<(int Product, int Piece)> taken = [];
        pool.Run(new LambdaRegion(worker =>
        {
            for (int product = 0; product < Products; product++)
            {
                WorkQueue pieces = scratch.Deal(worker, Count);
                for (int piece = pieces.Next(); piece >= 0; piece = pieces.Next())
                {
                    taken.Add((product, piece));
                }

                worker.Barrier();
            }
        }));
        Assert.That(taken, Has.Count.EqualTo(Products * Count));
        Assert.That(taken.Distinct().Count(), Is.EqualTo(taken.Count));
    }

    [Test]
    public void A_worker_takes_its_own_pieces_first_and_then_those_of_one_that_does_not_come()
    {
        using GemmScratch scratch = new(2, 1);
        WorkQueue pieces = scratch.Deal(new Worker(null, 1, 2), 5);
        Assert.That(Enumerable.Range(0, 7).Select(_ => pieces.Next()), Is.EqualTo([2, 3, 4, 0, 1, -1, -1]));
    }

    [Test]
    public void A_product_that_failed_is_forgotten()
    {
        using GemmScratch scratch = new(2, 1);
        Assert.That(scratch.Deal(new Worker(null, 0, 2), 2).Next(), Is.Zero);
        scratch.Reserve(0);
        WorkQueue first = scratch.Deal(new Worker(null, 0, 2), 2), second = scratch.Deal(new Worker(null, 1, 2), 2);
        Assert.That(new[] { first.Next(), second.Next(), first.Next(), second.Next() }, Is.EqualTo([0, 1, -1, -1]));
    }
}
