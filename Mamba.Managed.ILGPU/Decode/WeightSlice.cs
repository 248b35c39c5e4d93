using ILGPU;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>The rows of a matrix that a group multiplies, each in parts: a unit of work for a warp is a part of a row.</summary>
internal struct WeightSlice
{
    /// <summary>Where the matrix lies.</summary>
    public long Place;

    /// <summary>16-byte units from one row to the next.</summary>
    public int Pitch;

    /// <summary>16-byte units of a row.</summary>
    public int Length;

    /// <summary>Parts of a row.</summary>
    public int Parts;

    /// <summary>The group's first row.</summary>
    public int Start;

    /// <summary>How many rows it has.</summary>
    public int Rows;

    /// <summary>How many of them follow the first one; the others follow <see cref="Jump"/> rows further on.</summary>
    public int Fold;
    public int Jump;

    public readonly int Units => Rows * Parts;

    /// <summary>A part of a row, if there is one of that number; else an empty one.</summary>
    public readonly WeightUnit Unit(int index)
    {
        int row = Parts == 1 ? index : index / Parts;
        int partLength = (Length + Parts - 1) / Parts;
        int begin = (index - (row * Parts)) * partLength;
        return new()
        {
            Row = RowStart(row),
            Begin = begin,
            End = row < Rows ? IntrinsicMath.Min(begin + partLength, Length) : begin,
        };
    }

    /// <summary>Where one of the group's rows begins in the matrix.</summary>
    public readonly int RowStart(int row) => (Start + row + (row < Fold ? 0 : Jump)) * Pitch;

    /// <summary>The same where rows are whole and follow one another.</summary>
    public readonly WeightUnit Row(int index) => new() { Row = (Start + index) * Pitch, Begin = 0, End = index < Rows ? Length : 0 };
}

/// <summary>What a warp multiplies at a time: a part of a row.</summary>
internal struct WeightUnit
{
    /// <summary>Where the row begins in the matrix.</summary>
    public int Row;

    /// <summary>Where the part begins in the row.</summary>
    public int Begin;

    /// <summary>Where it ends.</summary>
    public int End;
}
