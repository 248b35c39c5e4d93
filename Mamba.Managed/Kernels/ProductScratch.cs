using Mamba.Managed.Execution;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Kernels;

/// <summary>Room for the blocks that each worker of a <see cref="StridedProduct"/> puts in order.</summary>
internal sealed unsafe class ProductScratch(int workers) : IDisposable
{
    private const int Left = StridedProduct.RowBlock * StridedProduct.DepthBlock;
    private const int Right = StridedProduct.ColumnBlock * StridedProduct.DepthBlock;

    private readonly TensorBuffer buffer = TensorBuffer.Allocate((long)workers * (Left + Right) * sizeof(float));

    /// <summary>The worker's block of the left side.</summary>
    public float* LeftOf(Worker worker) => (float*)buffer.Pointer + ((long)worker.Index * (Left + Right));

    /// <summary>The worker's block of the right side.</summary>
    public float* RightOf(Worker worker) => LeftOf(worker) + Left;

    /// <inheritdoc/>
    public void Dispose() => buffer.Dispose();
}
