using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Dropout of a block's output on its way to the residual stream, and of the gradient on its way back: y = x + mask m / (1 - rate).</summary>
/// <remarks>
/// Srivastava et al. 2014. The mask is a hash of seed, layer, row and feature (SplitMix64: Steele, Lea and Flood 2014), the same as on the
/// processor: forward and backward pass draw it again instead of keeping it.
/// </remarks>
internal static class ResidualDropout
{
    /// <summary>Adds what a mask leaves of a block's output to the residual.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="x">[features, tokens]: the residual.</param>
    /// <param name="m">[features, tokens]: the block's output.</param>
    /// <param name="y">[features, tokens]: may be <paramref name="x"/> or <paramref name="m"/>.</param>
    /// <param name="rows">The row of the batch in each column of the matrices; -1 in padding.</param>
    /// <param name="dropout">The rate and the seed.</param>
    /// <param name="layer">Index of the block.</param>
    public static void Add(GpuSession session, DeviceMatrix x, DeviceMatrix m, DeviceMatrix y, ArrayView<int> rows, Dropout dropout, int layer) =>
        Run(session, x.Floats, m, y, rows, dropout, layer);

    /// <summary>Applies the mask to a gradient.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="m">[features, tokens]</param>
    /// <param name="y">[features, tokens]: may be <paramref name="m"/>.</param>
    /// <param name="rows">The row of the batch in each column of the matrices; -1 in padding.</param>
    /// <param name="dropout">The rate and the seed.</param>
    /// <param name="layer">Index of the block.</param>
    public static void Mask(GpuSession session, DeviceMatrix m, DeviceMatrix y, ArrayView<int> rows, Dropout dropout, int layer) =>
        Run(session, ArrayView<float>.Empty, m, y, rows, dropout, layer);

    private static void Run(GpuSession session, ArrayView<float> x, DeviceMatrix m, DeviceMatrix y, ArrayView<int> rows, Dropout dropout, int layer)
    {
        if (m.Rows != y.Rows || m.Pitch != y.Pitch || rows.Length != m.Pitch)
        {
            throw new ArgumentException($"dropout: expected [{m.Rows}, {m.Pitch}] and {m.Pitch} rows, found [{y.Rows}, {y.Pitch}] and {rows.Length}");
        }

        session.Plain<Arguments>(Entry)(checked(m.Rows * m.Pitch), new()
        {
            // Kernels get no empty views.
            HasX = x.Length > 0 ? 1 : 0,
            X = x.Length > 0 ? x : m.Floats,
            M = m.Floats,
            Y = y.Floats,
            Rows = rows,
            Pitch = m.Pitch,
            Limit = (ulong)(dropout.Rate * (double)(1UL << 32)),
            Scale = 1 / (1 - dropout.Rate),
            Seed = dropout.Seed,
            Layer = (ulong)layer << 32,
        });
    }

    private static void Entry(Index1D i, Arguments p)
    {
        float value = p.M[i];
        if (p.Limit > 0)
        {
            int feature = i / p.Pitch, row = p.Rows[i - (feature * p.Pitch)];
            ulong first = Mix(p.Seed ^ Mix(p.Layer | (uint)row));
            ulong bits = Mix(first + ((ulong)(feature + 1) * 0x9E3779B97F4A7C15));
            value = (bits >> 32) < p.Limit ? 0 : value * p.Scale;
        }

        p.Y[i] = p.HasX != 0 ? p.X[i] + value : value;
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    internal struct Arguments
    {
        public ArrayView<float> X;
        public ArrayView<float> M;
        public ArrayView<float> Y;
        public ArrayView<int> Rows;
        public ulong Limit;
        public ulong Seed;
        public ulong Layer;
        public int HasX;
        public int Pitch;
        public float Scale;
    }
}
