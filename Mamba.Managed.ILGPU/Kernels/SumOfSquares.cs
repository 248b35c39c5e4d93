using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The sum of squares of each block of entries in double precision, in which squares of floats are exact and none overflows.</summary>
internal static class SumOfSquares
{
    /// <summary>The most entries of a block.</summary>
    public const int BlockLength = 1 << 14;

    private const int Threads = 256;

    /// <summary>Sums the squares of each block, in a fixed order.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="values">The entries.</param>
    /// <param name="starts">Where each block begins, and behind the last where that ends.</param>
    /// <param name="sums">One for each block.</param>
    public static void Run(GpuSession session, ArrayView<float> values, ArrayView<long> starts, ArrayView<double> sums)
    {
        int blocks = (int)starts.Length - 1;
        if (sums.Length < blocks)
        {
            throw new ArgumentException($"sums of squares: expected room for {blocks}, found {sums.Length}");
        }

        Arguments arguments = new() { Values = values, Starts = starts, Sums = sums };
        if (session.IsFast)
        {
            Fast(session, arguments, blocks);
        }
        else
        {
            Plain(session, arguments, blocks);
        }
    }

    /// <summary>One group a block: its threads take turns at the entries, then the sums of pairs of threads are added.</summary>
    internal static void Fast(GpuSession session, in Arguments arguments, int blocks) =>
        session.Grouped<Arguments>(GroupKernel, Threads)(new KernelConfig(blocks, Threads), arguments);

    /// <summary>One work item a block.</summary>
    internal static void Plain(GpuSession session, in Arguments arguments, int blocks) => session.Plain<Arguments>(Block)(blocks, arguments);

    private static void GroupKernel(Arguments p)
    {
        long end = p.Starts[Grid.IdxX + 1];
        double sum = 0;
        for (long i = p.Starts[Grid.IdxX] + Group.IdxX; i < end; i += Threads)
        {
            double value = p.Values[i];
            sum += value * value;
        }

        ArrayView<double> sums = SharedMemory.Allocate<double>(Threads);
        sums[Group.IdxX] = sum;
        for (int half = Threads / 2; half > 0; half /= 2)
        {
            Group.Barrier();
            if (Group.IdxX < half)
            {
                sums[Group.IdxX] += sums[Group.IdxX + half];
            }
        }

        if (Group.IdxX == 0)
        {
            p.Sums[Grid.IdxX] = sums[0];
        }
    }

    private static void Block(Index1D block, Arguments p)
    {
        double sum = 0;
        for (long i = p.Starts[block]; i < p.Starts[block + 1]; i++)
        {
            double value = p.Values[i];
            sum += value * value;
        }

        p.Sums[block] = sum;
    }

    internal struct Arguments
    {
        public ArrayView<float> Values;
        public ArrayView<long> Starts;
        public ArrayView<double> Sums;
    }
}
