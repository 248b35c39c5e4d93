using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests;

/// <summary>What tests ask of tensors.</summary>
internal static class TensorValues
{
    /// <summary>A copy of every element in single precision.</summary>
    /// <remarks>Safe on a tensor that nothing else holds, where the span of <see cref="Tensor.Floats"/> could outlive its memory.</remarks>
    public static float[] ToArray(this Tensor tensor)
    {
        float[] values = new float[tensor.Count];
        tensor.CopyTo(values);
        return values;
    }
}
