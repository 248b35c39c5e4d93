using ILGPU;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>A factor of a matrix product.</summary>
/// <param name="Matrix">As it lies in memory.</param>
/// <param name="Transposed">Whether the factor is the transpose of what lies in memory.</param>
internal readonly record struct Operand(DeviceMatrix Matrix, bool Transposed = false);

/// <summary>How exactly a product of float32 matrices is formed where matrix instructions form it.</summary>
internal enum ProductPrecision
{
    /// <summary>Three products of bfloat16 parts: within 4e-6 of the result's largest entry.</summary>
    Default,

    /// <summary>Three products of TF32 parts: within 5e-7 of the largest entry, at two thirds of the speed.</summary>
    High,
}

/// <summary>What a matrix product does beside multiplying.</summary>
internal readonly record struct ProductOptions
{
    /// <summary>Added to each row of the result, one number a row; an empty view adds nothing.</summary>
    public ArrayView<float> Bias { get; init; }

    /// <summary>Whether the product is added to what the result holds (float32 results only) instead of replacing it.</summary>
    public bool Accumulate { get; init; }

    public ProductPrecision Precision { get; init; }

    /// <summary>The terms of each sum, a multiple of <see cref="Padding.Rows"/>; 0 takes all rows of the operand whose rows they are.</summary>
    /// <remarks>Must be given where both operands have them along their columns, since a pitch may exceed them.</remarks>
    public int Depth { get; init; }

    /// <summary>Room for partial sums, as <see cref="MatrixProduct.WorkspaceLength"/> says; with less, small products use fewer multiprocessors.</summary>
    public ArrayView<float> Workspace { get; init; }
}
