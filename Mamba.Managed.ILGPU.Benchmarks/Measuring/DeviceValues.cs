using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Benchmarks.Measuring;

/// <summary>Numbers of benchmarks in device memory: drawn there, poisoned, and brought back as samples.</summary>
internal static class DeviceValues
{
    /// <summary>Fills a matrix with uniform random numbers of unit variance, scaled.</summary>
    public static DeviceMatrix Draw(GpuSession session, DeviceMatrix matrix, uint seed, float scale = 1)
    {
        session.Plain<Draws>(DrawEntry)(checked(matrix.Rows * matrix.Pitch), new() { Values = new(matrix, false), Columns = matrix.Pitch, Seed = seed, Scale = scale });
        return matrix;
    }

    /// <summary>Uniform random numbers of unit variance, scaled and moved, on the host and in device memory.</summary>
    public static float[] Draw(GpuSession session, ArrayView<float> view, uint seed, float scale = 1, float offset = 0)
    {
        float[] values = new float[view.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (Uniform((uint)i, seed) * scale) + offset;
        }

        view.CopyFromCPU(session.Stream, values);
        return values;
    }

    /// <summary>Makes every entry not a number.</summary>
    public static void Poison(GpuSession session, DeviceMatrix matrix) => matrix.Data.MemSet(session.Stream, 0xFF);

    /// <summary>Entries among the first columns that are not numbers.</summary>
    public static int CountPoison(GpuSession session, DeviceMatrix matrix, int columns)
    {
        using MemoryBuffer1D<int, Stride1D.Dense> counts = session.Accelerator.Allocate1D<int>(matrix.Rows);
        session.Plain<Counts>(CountRow)(matrix.Rows, new() { Values = new(matrix, false), Columns = columns, Found = counts.View });
        int[] found = new int[matrix.Rows];
        counts.View.CopyToCPU(session.Stream, found);
        return found.Sum();
    }

    /// <summary>Some entries of a row.</summary>
    public static float[] Row(GpuSession session, DeviceMatrix matrix, int row, int start, int count)
    {
        long first = ((long)row * matrix.Pitch) + start;
        if (matrix.Type == NumberType.Float32)
        {
            float[] values = new float[count];
            matrix.Floats.SubView(first, count).CopyToCPU(session.Stream, values);
            return values;
        }

        ushort[] halves = new ushort[count];
        matrix.Data.Cast<ushort>().SubView(first, count).CopyToCPU(session.Stream, halves);
        return [.. halves.Select(half => BitConverter.UInt32BitsToSingle((uint)half << 16))];
    }

    /// <summary>Every entry, row after row.</summary>
    public static float[] All(GpuSession session, DeviceMatrix matrix) => Row(session, matrix, 0, 0, checked(matrix.Rows * matrix.Pitch));

    private static void DrawEntry(Index1D index, Draws draws)
    {
        int row = index / draws.Columns;
        draws.Values.Write(row, index - (row * draws.Columns), Uniform((uint)index.X, draws.Seed) * draws.Scale);
    }

    // The finalizer of MurmurHash3, over the square root of 12 times the unit interval about zero.
    private static float Uniform(uint index, uint seed)
    {
        uint x = index + (seed * 0x9E3779B9u);
        x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
        x = (x ^ (x >> 13)) * 0xC2B2AE35u;
        x ^= x >> 16;
        return ((x >> 8) * (1f / (1 << 24)) * 3.4641016f) - 1.7320508f;
    }

    private static void CountRow(Index1D row, Counts counts)
    {
        int found = 0;
        for (int i = 0; i < counts.Columns; i++)
        {
            found += (Interop.FloatAsInt(counts.Values.Read(row, i)) & 0x7FFFFFFF) > 0x7F800000 ? 1 : 0;
        }

        counts.Found[row] = found;
    }

    internal struct Draws
    {
        public Entries Values;
        public int Columns;
        public uint Seed;
        public float Scale;
    }

    internal struct Counts
    {
        public Entries Values;
        public ArrayView<int> Found;
        public int Columns;
    }
}
