using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>Keeps the memory of tensors and states for the length of a call, whoever disposes them meanwhile.</summary>
internal sealed class MemoryLeases : IDisposable
{
    private readonly List<TensorBuffer.Lease> leases = [];

    /// <summary>Keeps the memory of a parameter and gives its first element.</summary>
    /// <exception cref="ArgumentException">The parameter is not Float32.</exception>
    /// <exception cref="ObjectDisposedException">Its memory has been given back.</exception>
    public unsafe float* Take(string path, Tensor tensor)
    {
        if (tensor.Type != ElementType.Float32)
        {
            Throw.Argument($"expected Float32 parameters, found {tensor} at {path}; copy the model with CopyToFloat32", "model");
        }

        leases.Add(tensor.Buffer.Acquire());
        return (float*)(tensor.Buffer.Pointer + tensor.Offset);
    }

    /// <summary>Keeps the memory of a state.</summary>
    /// <exception cref="ObjectDisposedException">Its memory has been given back.</exception>
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
