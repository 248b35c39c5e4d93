using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>Leases on the memory of tensors and states for one call, so that none is freed if it is disposed meanwhile.</summary>
internal sealed class MemoryLeases : IDisposable
{
    private readonly List<TensorBuffer.Lease> leases = [];

    /// <summary>Leases the memory of a parameter and returns its first element.</summary>
    /// <exception cref="ArgumentException">The parameter is not Float32.</exception>
    /// <exception cref="ObjectDisposedException">The parameter has been disposed.</exception>
    public unsafe float* Take(string path, Tensor tensor)
    {
        if (tensor.Type != ElementType.Float32)
        {
            Throw.Argument($"expected Float32 parameters, found {tensor} at {path}; copy the model with CopyToFloat32", "model");
        }

        leases.Add(tensor.Buffer.Acquire());
        return (float*)(tensor.Buffer.Pointer + tensor.Offset);
    }

    /// <summary>Leases the memory of a tensor.</summary>
    /// <exception cref="ObjectDisposedException">The tensor has been disposed.</exception>
    public void Take(Tensor tensor) => leases.Add(tensor.Buffer.Acquire());

    /// <summary>Leases the memory of a state.</summary>
    /// <exception cref="ObjectDisposedException">The state has been disposed.</exception>
    public void Take(CpuState state) => leases.Add(state.Acquire());

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (TensorBuffer.Lease lease in leases)
        {
            lease.Dispose();
        }

        leases.Clear();
    }
}
