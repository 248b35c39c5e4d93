using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The vectors of tokens: y[:, column] = table[token of the column, :].</summary>
internal static class Embedding
{
    // A tile is read by rows and written by columns, so that both move whole lines of memory.
    private const int Tile = 32;
    private const int TileRows = 8;

    /// <summary>Looks up a vector for each column.</summary>
    /// <param name="session">Where it runs.</param>
    /// <param name="table">[vocabulary, features], float32 or bfloat16.</param>
    /// <param name="columns">[count]: the token of each column; -1 makes the column zero.</param>
    /// <param name="count">Columns, at most the pitch of <paramref name="y"/>.</param>
    /// <param name="y">[features, tokens], float32.</param>
    /// <exception cref="ArgumentException">Shapes contradict one another.</exception>
    public static void Gather(GpuSession session, DeviceMatrix table, ArrayView<int> columns, int count, DeviceMatrix y)
    {
        if (columns.Length < count || y.Pitch < count || table.Pitch < y.Rows || y.Type != NumberType.Float32)
        {
            throw new ArgumentException($"expected {count} columns of float32 and as many tokens, found {y.Pitch} of {y.Type} and {columns.Length} tokens");
        }

        if (count > 0 && session.IsFast)
        {
            Fast(session, table, columns, count, y);
        }
        else if (count > 0)
        {
            Plain(session, table, columns, count, y);
        }
    }

    internal static void Plain(GpuSession session, DeviceMatrix table, ArrayView<int> columns, int count, DeviceMatrix y) =>
        session.Plain<Arguments>(PlainKernel)(checked(y.Rows * count), new(table, columns, count, y));

    internal static void Fast(GpuSession session, DeviceMatrix table, ArrayView<int> columns, int count, DeviceMatrix y)
    {
        Index2D groups = new((count + Tile - 1) / Tile, (y.Rows + Tile - 1) / Tile);
        session.Grouped<Arguments>(FastKernel, Tile * TileRows)((groups, new Index2D(Tile, TileRows)), new(table, columns, count, y));
    }

    private static void PlainKernel(Index1D item, Arguments p)
    {
        int row = item / p.Count, column = item - (row * p.Count), token = p.Columns[column];
        p.Y.Write(row, column, token < 0 ? 0 : p.Table.Read(token, row));
    }

    private static void FastKernel(Arguments p)
    {
        ArrayView<float> tile = SharedMemory.Allocate<float>(Tile * (Tile + 1));
        int column = Grid.IdxX * Tile, row = Grid.IdxY * Tile;
        for (int i = Group.IdxY; i < Tile; i += TileRows)
        {
            int token = column + i < p.Count ? p.Columns[column + i] : -1;
            tile[(i * (Tile + 1)) + Group.IdxX] = token >= 0 && row + Group.IdxX < p.Rows ? p.Table.Read(token, row + Group.IdxX) : 0;
        }

        Group.Barrier();
        for (int i = Group.IdxY; i < Tile; i += TileRows)
        {
            if (row + i < p.Rows && column + Group.IdxX < p.Count)
            {
                p.Y.Write(row + i, column + Group.IdxX, tile[(Group.IdxX * (Tile + 1)) + i]);
            }
        }
    }

    internal readonly struct Arguments(DeviceMatrix table, ArrayView<int> columns, int count, DeviceMatrix y)
    {
        public readonly Entries Table = new(table, transposed: false);
        public readonly Entries Y = new(y, transposed: false);
        public readonly ArrayView<int> Columns = columns;
        public readonly int Count = count;
        public readonly int Rows = y.Rows;
    }
}
