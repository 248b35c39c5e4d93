using ILGPU;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>Cuts one block of device memory into parts; without a block it only measures how much they need.</summary>
/// <param name="block">The memory, or empty to measure.</param>
internal sealed class BlockMemory(ArrayView<Float4> block)
{
    /// <summary>Units of 16 bytes cut so far.</summary>
    public long Length { get; private set; }

    /// <summary>A float32 matrix.</summary>
    public DeviceMatrix Matrix(int rows, int pitch) => new(Cut((long)rows * pitch / 4), rows, pitch, NumberType.Float32);

    /// <summary>One matrix for each of several layers.</summary>
    public DeviceMatrix[] Matrices(int layers, int rows, int pitch) => [.. Enumerable.Range(0, layers).Select(_ => Matrix(rows, pitch))];

    /// <summary>Numbers.</summary>
    public ArrayView<float> Floats(long count) => Cut((count + 3) / 4) is { Length: > 0 } part ? part.Cast<float>().SubView(0, count) : ArrayView<float>.Empty;

    /// <summary>Whole numbers.</summary>
    public ArrayView<int> Integers(long count) => Cut((count + 3) / 4) is { Length: > 0 } part ? part.Cast<int>().SubView(0, count) : ArrayView<int>.Empty;

    private ArrayView<Float4> Cut(long units)
    {
        long start = Length;
        Length = checked(start + units);
        return block.Length == 0 || units == 0 ? ArrayView<Float4>.Empty : block.SubView(start, units);
    }
}
