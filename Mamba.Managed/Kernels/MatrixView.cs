namespace Mamba.Managed.Kernels;

/// <summary>A matrix in memory that someone else holds: rows and columns with any distance between neighbors.</summary>
/// <param name="start">Entry (0, 0).</param>
/// <param name="rows">Rows.</param>
/// <param name="columns">Columns.</param>
/// <param name="rowPitch">Distance between rows.</param>
/// <param name="columnPitch">Distance between columns.</param>
internal readonly unsafe struct MatrixView(float* start, int rows, int columns, long rowPitch, long columnPitch)
{
    /// <summary>Rows one after the other.</summary>
    public MatrixView(float* start, int rows, int columns)
        : this(start, rows, columns, columns, 1)
    {
    }

    /// <summary>Rows with a pitch: a block of columns of a wider matrix.</summary>
    public MatrixView(float* start, int rows, int columns, long rowPitch)
        : this(start, rows, columns, rowPitch, 1)
    {
    }

    public float* Start { get; } = start;

    public int Rows { get; } = rows;

    public int Columns { get; } = columns;

    public long RowPitch { get; } = rowPitch;

    public long ColumnPitch { get; } = columnPitch;

    /// <summary>The same memory with rows and columns exchanged.</summary>
    public MatrixView Transposed => new(Start, Columns, Rows, ColumnPitch, RowPitch);

    public float* At(int row, int column) => Start + (row * RowPitch) + (column * ColumnPitch);
}
