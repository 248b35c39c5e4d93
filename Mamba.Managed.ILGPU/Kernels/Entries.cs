using ILGPU;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>A matrix of either number type as plain kernels read and write it, one entry at a time.</summary>
internal readonly struct Entries
{
    private readonly ArrayView<float> floats;
    private readonly ArrayView<ushort> halves;
    private readonly int rowStep;
    private readonly int columnStep;
    private readonly int isBFloat16;

    /// <param name="matrix">As it lies in memory.</param>
    /// <param name="transposed">Whether entry (i, j) is what lies at row j, column i.</param>
    public Entries(in DeviceMatrix matrix, bool transposed)
    {
        floats = matrix.Data.Cast<float>();
        halves = matrix.Data.Cast<ushort>();
        rowStep = transposed ? 1 : matrix.Pitch;
        columnStep = transposed ? matrix.Pitch : 1;
        isBFloat16 = matrix.Type == NumberType.BFloat16 ? 1 : 0;
    }

    public float Read(int row, int column)
    {
        long index = (long)row * rowStep + (long)column * columnStep;
        return isBFloat16 != 0 ? Interop.IntAsFloat((uint)halves[index] << 16) : floats[index];
    }

    /// <summary>Stores a number; a bfloat16 matrix gets the nearest, ties to even.</summary>
    public void Write(int row, int column, float value)
    {
        long index = (long)row * rowStep + (long)column * columnStep;
        if (isBFloat16 != 0)
        {
            halves[index] = (ushort)BFloat16.Round(value);
        }
        else
        {
            floats[index] = value;
        }
    }
}
