using System.Collections.Concurrent;
using Mamba.Managed.Execution;
using Mamba.Managed.Kernels;

namespace Mamba.Managed.Tests.Kernels;

public class PiecesTests
{
    private const int Products = 50;
    private const int Blocks = 3;
    private const int Count = 37;

    [TestCase(1, 1)]
    [TestCase(2, 1)]
    [TestCase(3, 1)]
    [TestCase(4, 2)]
    [TestCase(4, 4)]
    public void Every_piece_of_every_block_goes_to_one_worker_of_each_group(int workers, int groups)
    {
        using WorkerPool pool = new(workers);
        using ProductScratch scratch = new(workers, 1, 1);
        ConcurrentBag<(int Product, int Group, int Block, int Piece)> taken = [];
        pool.Run(new LambdaRegion(worker =>
        {
            for (int product = 0; product < Products; product++)
            {
                Pieces pieces = scratch.Deal(worker, groups, Count);
                for (int block = 0; block < Blocks; block++)
                {
                    for (int piece = pieces.Next(block); piece >= 0; piece = pieces.Next(block))
                    {
                        taken.Add((product, worker.Index / (workers / groups), block, piece));
                    }
                }

                worker.Barrier();
            }
        }));
        Assert.That(taken, Has.Count.EqualTo(Products * groups * Blocks * Count));
        Assert.That(taken.Distinct().Count(), Is.EqualTo(taken.Count));
    }

    [Test]
    public void A_worker_takes_its_own_pieces_first_and_then_those_of_one_that_does_not_come()
    {
        using ProductScratch scratch = new(2, 1, 1);
        Pieces pieces = scratch.Deal(new Worker(null, 1, 2), 1, 5);
        Assert.That(Enumerable.Range(0, 6).Select(_ => pieces.Next(0)), Is.EqualTo([2, 3, 4, 0, 1, -1]));
        Assert.That(Enumerable.Range(0, 6).Select(_ => pieces.Next(1)), Is.EqualTo([2, 3, 4, 0, 1, -1]));
    }

    [Test]
    public void A_product_that_failed_is_forgotten()
    {
        using ProductScratch scratch = new(2, 1, 1);
        Assert.That(scratch.Deal(new Worker(null, 0, 2), 1, 2).Next(0), Is.Zero);
        scratch.Restart();
        Pieces first = scratch.Deal(new Worker(null, 0, 2), 1, 2), second = scratch.Deal(new Worker(null, 1, 2), 1, 2);
        Assert.That(new[] { first.Next(0), second.Next(0), first.Next(0), second.Next(0) }, Is.EqualTo([0, 1, -1, -1]));
    }
}
