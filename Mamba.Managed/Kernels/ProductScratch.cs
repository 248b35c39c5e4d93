using Mamba.Managed.Execution;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Kernels;

/// <summary>Room for the blocks of both sides of a product that each worker puts in order.</summary>
/// <param name="workers">Workers that compute together.</param>
/// <param name="left">Floats of a block of the left side.</param>
/// <param name="right">Floats of a block of the right side.</param>
internal sealed unsafe class ProductScratch(int workers, int left, int right) : IDisposable
{
    private readonly TensorBuffer buffer = TensorBuffer.Allocate((long)workers * (left + right) * sizeof(float), clear: false);

    /// <summary>The worker's block of the left side.</summary>
    public float* LeftOf(Worker worker) => (float*)buffer.Pointer + ((long)worker.Index * (left + right));

    /// <summary>The worker's block of the right side.</summary>
    public float* RightOf(Worker worker) => LeftOf(worker) + left;

    /// <inheritdoc/>
    public void Dispose() => buffer.Dispose();
}
