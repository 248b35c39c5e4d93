using ILGPU;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Some columns of a matrix side by side: y[:, i] = x[:, columns[i]].</summary>
internal static class ColumnSelection
{
    /// <summary>Copies columns.</summary>
    /// <param name="session">Where it runs.</param>
    /// <param name="x">[rows, tokens]</param>
    /// <param name="columns">[count]: which.</param>
    /// <param name="count">How many, at most the pitch of <paramref name="y"/>.</param>
    /// <param name="y">[rows, count], of the type of <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">Shapes contradict one another.</exception>
    public static void Gather(GpuSession session, DeviceMatrix x, ArrayView<int> columns, int count, DeviceMatrix y)
    {
        if (columns.Length < count || y.Pitch < count || y.Rows != x.Rows || y.Type != x.Type)
        {
            throw new ArgumentException($"expected [{x.Rows}, {count}] {x.Type}, found [{y.Rows}, {y.Pitch}] {y.Type} and {columns.Length} numbers of columns");
        }

        if (count > 0)
        {
            session.Plain<Arguments>(Kernel)(checked(y.Rows * count), new(x, columns, count, y));
        }
    }

    private static void Kernel(Index1D item, Arguments p)
    {
        int row = item / p.Count, column = item - (row * p.Count);
        p.Y.Write(row, column, p.X.Read(row, p.Columns[column]));
    }

    internal readonly struct Arguments(DeviceMatrix x, ArrayView<int> columns, int count, DeviceMatrix y)
    {
        public readonly Entries X = new(x, transposed: false);
        public readonly Entries Y = new(y, transposed: false);
        public readonly ArrayView<int> Columns = columns;
        public readonly int Count = count;
    }
}
