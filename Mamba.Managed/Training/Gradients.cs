using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>The gradient of every parameter, as a tree of the model's own shape; a shared parameter has one gradient.</summary>
/// <remarks>Owns its memory; a call that is using it finishes before the memory is freed.</remarks>
public sealed class Gradients : IDisposable
{
    /// <summary>Zero gradients for a model.</summary>
    /// <exception cref="OutOfMemoryException">The system does not have the memory.</exception>
    public Gradients(MambaLanguageModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        Tree = model.Map(string.Empty, (_, tensor) => Tensor.Zeros(ElementType.Float32, tensor.Shape));
        Parameters = Tree.Parameters();
    }

    /// <summary>The gradients in place of the parameters.</summary>
    public MambaLanguageModel Tree { get; }

    /// <summary>Every gradient with its parameter's path, in the model's order.</summary>
    public IReadOnlyList<KeyValuePair<string, Tensor>> Parameters { get; }

    /// <summary>Sets every gradient to zero.</summary>
    /// <exception cref="ObjectDisposedException">The gradients have been disposed.</exception>
    public void Clear()
    {
        foreach ((_, Tensor tensor) in Parameters)
        {
            using TensorBuffer.Lease lease = tensor.Buffer.Acquire();
            tensor.Floats.Clear();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Tree.DisposeParameters();
}
