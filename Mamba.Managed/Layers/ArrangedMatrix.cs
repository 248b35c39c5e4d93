using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>A matrix packed for the product, for one call of a layer; its memory is freed when the call ends.</summary>
internal sealed class ArrangedMatrix : IDisposable
{
    private readonly TensorBuffer memory;

    public ArrangedMatrix(Tensor weight)
    {
        memory = TensorBuffer.Allocate(PackedMatrix.LengthOf(weight), clear: false);
        try
        {
            Packed = new PackedMatrix(weight, room: memory);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    public PackedMatrix Packed { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Weights that the fast conversion cannot represent are packed into other memory.
        Packed.Dispose();
        memory.Dispose();
    }
}
