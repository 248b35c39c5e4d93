using ILGPU;
using ILGPU.Runtime;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>How numbers lie in device memory.</summary>
internal enum NumberType
{
    /// <summary>IEEE single precision.</summary>
    Float32,

    /// <summary>The upper half of a float32; computed with in float32.</summary>
    BFloat16,
}

/// <summary>A matrix in device memory, row-major: entry (row, column) lies at row * Pitch + column.</summary>
/// <param name="Data">Begins at a multiple of 16 bytes; <see cref="Rows"/> * <see cref="Pitch"/> entries.</param>
/// <param name="Rows">Rows that exist in memory, a multiple of <see cref="Padding.Rows"/>; those beyond the model's own are zero.</param>
/// <param name="Pitch">Entries from one row to the next, a multiple of <see cref="Padding.Columns"/>.</param>
/// <param name="Type">What an entry is.</param>
/// <remarks>
/// Activations are [features, tokens]: the tokens of a feature lie side by side, so that every product of a layer has the form
/// weights [outputs, inputs] times activations [inputs, tokens] and the scan reads time contiguously; nothing is ever transposed.
/// </remarks>
internal readonly record struct DeviceMatrix(ArrayView<Float4> Data, int Rows, int Pitch, NumberType Type)
{
    /// <summary>The entries of a float32 matrix.</summary>
    public ArrayView<float> Floats => Type == NumberType.Float32 ? Data.Cast<float>() : throw new InvalidOperationException("expected a matrix of float32, found bfloat16");

    /// <summary>Bytes from one row to the next.</summary>
    public long RowBytes => (long)Pitch * (Type == NumberType.Float32 ? sizeof(float) : sizeof(ushort));

    /// <summary>Some rows of this matrix.</summary>
    /// <param name="start">The first, a multiple of <see cref="Padding.Rows"/>.</param>
    /// <param name="count">How many, a multiple of <see cref="Padding.Rows"/>.</param>
    public DeviceMatrix Slice(int start, int count)
    {
        int perUnit = Type == NumberType.Float32 ? 4 : 8;
        return this with { Data = Data.SubView((long)start * Pitch / perUnit, (long)count * Pitch / perUnit), Rows = count };
    }
}

/// <summary>The multiples to which sizes are filled up with zeros in device memory, so that fast kernels have no edges but in time.</summary>
internal static class Padding
{
    /// <summary>Features: a multiple of the depth of a matrix instruction.</summary>
    public const int Rows = 16;

    /// <summary>Tokens from one sequence's first to the next one's: 16 bytes of bfloat16.</summary>
    public const int Sequence = 8;

    /// <summary>Tokens of a pass: the widest tile of a product.</summary>
    public const int Columns = 128;

    /// <summary>States of a channel.</summary>
    public const int States = 16;

    public static int Up(int value, int multiple) => checked((value + multiple - 1) / multiple * multiple);
}
