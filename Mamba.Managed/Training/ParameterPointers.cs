using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>Where the parameters of one block lie, or their gradients; null where the block has none.</summary>
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

/// <summary>Where the parameters of a whole model lie, or their gradients. Holds the model, so that its memory stays.</summary>
internal sealed unsafe class ParameterPointers
{
    public ParameterPointers(MambaLanguageModel model)
    {
        Model = model;
        Embedding = Of(model.Embeddings.Weight);
        Head = Of(model.HeadWeight);
        FinalNorm = Of(model.NormF.Weight);
        Blocks = [.. model.Layers.Select(block => new BlockPointers(block))];
    }

    public MambaLanguageModel Model { get; }

    public float* Embedding { get; }

    public float* Head { get; }

    public float* FinalNorm { get; }

    public BlockPointers[] Blocks { get; }

    public static float* Of(Tensor? tensor)
    {
        if (tensor is null)
        {
            return null;
        }

        if (tensor.Type != ElementType.Float32)
        {
            Throw.Argument($"expected Float32 parameters, found {tensor}; copy the model with Weights.Copy", nameof(tensor));
        }

        return (float*)(tensor.Buffer.Pointer + tensor.Offset);
    }
}
