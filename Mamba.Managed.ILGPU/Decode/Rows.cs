using ILGPU;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>The rows of a float32 matrix, read as groups of four along a row.</summary>
internal readonly struct Rows(in DeviceMatrix matrix)
{
    private readonly ArrayView<Float4> groups = matrix.Floats.Cast<Float4>();
    private readonly int pitch = matrix.Pitch / 4;

    /// <summary>One entry.</summary>
    public float this[int row, int column] => groups.Cast<float>()[((long)row * pitch * 4) + column];

    /// <summary>A row times a vector.</summary>
    /// <param name="row">Which row.</param>
    /// <param name="vector">Holds the vector.</param>
    /// <param name="start">Where it begins, a multiple of 4.</param>
    /// <param name="length">Its length, a multiple of 4.</param>
    /// <remarks>Four sums side by side: each is short, so that its rounding stays small.</remarks>
    public float Dot(int row, ArrayView<float> vector, int start, int length)
    {
        Float4 sum = default;
        ArrayView<Float4> x = vector.Cast<Float4>();
        for (int i = 0; i < length / 4; i++)
        {
            Float4 a = groups[((long)row * pitch) + i];
            Float4 b = x[(start / 4) + i];
            sum.X += a.X * b.X;
            sum.Y += a.Y * b.Y;
            sum.Z += a.Z * b.Z;
            sum.W += a.W * b.W;
        }

        return sum.X + sum.Y + (sum.Z + sum.W);
    }
}
