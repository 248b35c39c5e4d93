using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>Pointers to the parameters of one block, or to their gradients; null for parameters that the block lacks.</summary>
internal readonly unsafe struct BlockPointers(ResidualBlock block)
{
    public float* Norm { get; } = ParameterPointers.Of(block.Norm.Weight);

    public float* InWeight { get; } = ParameterPointers.Of(block.Mixer.InProj.Weight);

    public float* InBias { get; } = ParameterPointers.Of(block.Mixer.InProj.Bias);

    public float* ConvWeight { get; } = ParameterPointers.Of(block.Mixer.Conv1d.Weight);

    public float* ConvBias { get; } = ParameterPointers.Of(block.Mixer.Conv1d.Bias);

    public float* XWeight { get; } = ParameterPointers.Of(block.Mixer.XProj.Weight);

    public float* DtWeight { get; } = ParameterPointers.Of(block.Mixer.DtProj.Weight);

    public float* DtBias { get; } = ParameterPointers.Of(block.Mixer.DtProj.Bias);

    public float* ALog { get; } = ParameterPointers.Of(block.Mixer.ALog);

    public float* D { get; } = ParameterPointers.Of(block.Mixer.D);

    public float* OutWeight { get; } = ParameterPointers.Of(block.Mixer.OutProj.Weight);

    public float* OutBias { get; } = ParameterPointers.Of(block.Mixer.OutProj.Bias);
}

/// <summary>Pointers to the parameters of a model, or to their gradients. The memory is leased until this is disposed.</summary>
internal sealed unsafe class ParameterPointers : IDisposable
{
    private readonly MemoryLeases leases = new();

    /// <summary>Leases the memory of every parameter.</summary>
    /// <exception cref="ArgumentException">A parameter is not Float32.</exception>
    /// <exception cref="ObjectDisposedException">A parameter has been disposed.</exception>
    public ParameterPointers(MambaLanguageModel model)
    {
        try
        {
            foreach ((string path, Tensor tensor) in model.Parameters())
            {
                leases.Take(path, tensor);
            }

            Embedding = Of(model.Embeddings.Weight);
            Head = Of(model.HeadWeight);
            FinalNorm = Of(model.NormF.Weight);
            Blocks = [.. model.Layers.Select(block => new BlockPointers(block))];
        }
        catch
        {
            leases.Dispose();
            throw;
        }
    }

    public float* Embedding { get; }

    public float* Head { get; }

    public float* FinalNorm { get; }

    public BlockPointers[] Blocks { get; }

    /// <summary>The first element of a parameter whose memory is leased.</summary>
    public static float* Of(Tensor? tensor) => tensor is null ? null : (float*)(tensor.Buffer.Pointer + tensor.Offset);

    /// <inheritdoc/>
    public void Dispose() => leases.Dispose();
}
