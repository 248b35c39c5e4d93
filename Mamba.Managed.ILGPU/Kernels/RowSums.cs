using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Sums over tokens, which the gradients of biases and of the scales of norms are; in a fixed order.</summary>
internal static class RowSums
{
    private const int Threads = 128;

    /// <summary>Adds the sum of each row to a bias's gradient: db[f] += sum over t of dy[f, t].</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="gradient">[features, tokens]: dy, zero in padding columns.</param>
    /// <param name="sums">[features]: db.</param>
    public static void AddTo(GpuSession session, DeviceMatrix gradient, ArrayView<float> sums) =>
        Run(session, Of(gradient, ArrayView<float>.Empty, ArrayView<float>.Empty, sums), gradient.Rows);

    /// <summary>Adds to the gradient of a norm's scale: dw[f] += sum over t of dy[f, t] x[f, t] inverse[t].</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="gradient">[features, tokens]: dy, zero in padding columns.</param>
    /// <param name="x">[features, tokens]: what was normalized.</param>
    /// <param name="inverses">[tokens]: the inverse of each column's root mean square.</param>
    /// <param name="sums">[features]: dw.</param>
    public static void AddTo(GpuSession session, DeviceMatrix gradient, DeviceMatrix x, ArrayView<float> inverses, ArrayView<float> sums) =>
        Run(session, Of(gradient, x.Floats, inverses, sums), gradient.Rows);

    /// <summary>One group a row: its threads take turns at the columns, then the sums of pairs of threads are added.</summary>
    internal static void Fast(GpuSession session, in Arguments arguments, int rows) =>
        session.Grouped<Arguments>(GroupKernel, Threads)(new KernelConfig(rows, Threads), arguments);

    /// <summary>One work item a row.</summary>
    internal static void Plain(GpuSession session, in Arguments arguments, int rows) => session.Plain<Arguments>(Row)(rows, arguments);

    /// <summary>The checked arguments of the kernels.</summary>
    internal static Arguments Of(DeviceMatrix gradient, ArrayView<float> x, ArrayView<float> inverses, ArrayView<float> sums)
    {
        if (sums.Length < gradient.Rows || (x.Length > 0 && (x.Length < gradient.Floats.Length || inverses.Length < gradient.Pitch)))
        {
            throw new ArgumentException($"row sums: expected {gradient.Rows} sums of rows of {gradient.Pitch}, found {sums.Length} of {inverses.Length}");
        }

        return new()
        {
            // Kernels get no empty views.
            IsWeighted = x.Length > 0 ? 1 : 0,
            Gradient = gradient.Floats,
            X = x.Length > 0 ? x : gradient.Floats,
            Inverses = x.Length > 0 ? inverses : gradient.Floats,
            Sums = sums,
            Pitch = gradient.Pitch,
        };
    }

    private static void Run(GpuSession session, in Arguments arguments, int rows)
    {
        if (session.IsFast)
        {
            Fast(session, arguments, rows);
        }
        else
        {
            Plain(session, arguments, rows);
        }
    }

    private static void GroupKernel(Arguments p)
    {
        long row = (long)Grid.IdxX * p.Pitch;
        float sum = 0;
        for (int t = Group.IdxX; t < p.Pitch; t += Threads)
        {
            sum += Term(p, row, t);
        }

        ArrayView<float> sums = SharedMemory.Allocate<float>(Threads);
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
            p.Sums[Grid.IdxX] += sums[0];
        }
    }

    private static void Row(Index1D index, Arguments p)
    {
        float sum = 0;
        long row = index.X;
        for (int t = 0; t < p.Pitch; t++)
        {
            sum += Term(p, row * p.Pitch, t);
        }

        p.Sums[index] += sum;
    }

    private static float Term(Arguments p, long row, int t) =>
        p.IsWeighted != 0 ? p.Gradient[row + t] * p.X[row + t] * p.Inverses[t] : p.Gradient[row + t];

    internal struct Arguments
    {
        public ArrayView<float> Gradient;
        public ArrayView<float> X;
        public ArrayView<float> Inverses;
        public ArrayView<float> Sums;
        public int IsWeighted;
        public int Pitch;
    }
}
