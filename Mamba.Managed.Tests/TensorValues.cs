using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests;

/// <summary>What tests ask of tensors.</summary>
internal static class TensorValues
{
    extension(Tensor tensor)
    {
        /// <summary>The elements of an <see cref="ElementType.Int64"/> tensor.</summary>
        public Span<long> Integers => tensor.Buffer.Span<long>(tensor.Offset, tensor.Count);
    }
}
