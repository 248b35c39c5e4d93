using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>Copies of a model's parameters that training may write.</summary>
public static class Weights
{
    /// <summary>The same model with every parameter copied to memory of its own, in single precision.</summary>
    /// <param name="model">Of any floating-point type, perhaps over a mapped file.</param>
    public static MambaLanguageModel Copy(MambaLanguageModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Map(string.Empty, (_, tensor) =>
        {
            Tensor copy = Tensor.Zeros(ElementType.Float32, tensor.Shape);
            tensor.CopyTo(copy.Floats);
            return copy;
        });
    }
}
