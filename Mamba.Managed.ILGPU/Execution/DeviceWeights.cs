using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>A model's weights in device memory, read-only from then on.</summary>
internal sealed class DeviceWeights(DeviceMemory memory, ModelShape shape) : IDisposable
{
    /// <summary>The sizes.</summary>
    public ModelShape Shape { get; } = shape;

    /// <summary>The type of every matrix here, and of activations but for the residual stream.</summary>
    public required NumberType Type { get; init; }

    /// <summary>[vocabulary, features]</summary>
    public required DeviceMatrix Embedding { get; init; }

    /// <summary>[vocabulary, features]: the embedding itself for a tied head.</summary>
    public required DeviceMatrix Head { get; init; }

    /// <summary>[features]: the scale of the norm before the head.</summary>
    public required global::ILGPU.ArrayView<float> NormF { get; init; }

    /// <summary>The residual blocks, first to last.</summary>
    public required LayerWeights[] Layers { get; init; }

    /// <summary>Bytes that a step of one sequence reads: all weights but the rows of the embedding, and the state.</summary>
    public long StepBytes
    {
        get
        {
            long embedding = Shape.Config.TieEmbeddings ? 0 : Embedding.Rows * Embedding.RowBytes;
            return memory.ByteLength - embedding + (Shape.StateLength * sizeof(float));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => memory.Dispose();
}
