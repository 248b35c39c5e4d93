namespace Mamba.Managed.Kernels;

/// <summary>A view of a matrix in memory that it does not own, with a stride for rows and one for columns.</summary>
/// <param name="start">Entry (0, 0).</param>
/// <param name="rows">Rows.</param>
/// <param name="columns">Columns.</param>
/// <param name="rowPitch">Distance between rows.</param>
/// <param name="columnPitch">Distance between columns.</param>
internal readonly unsafe struct MatrixView(float* start, int rows, int columns, long rowPitch, long columnPitch)
{
    /// <summary>Contiguous rows.</summary>
    public MatrixView(float* start, int rows, int columns)
        : this(start, rows, columns, columns, 1)
    {
    }

    /// <summary>Contiguous columns and rows with a pitch: a block of columns of a wider matrix.</summary>
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
