using ILGPU;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>The forward pass through all blocks; it keeps what the backward pass needs.</summary>
internal static class ForwardPass
{
    /// <summary>Runs all blocks, then the norm before the head.</summary>
    public static void Run(PassContext pass)
    {
        TrainingActivations memory = pass.Memory;
        Embedding.Gather(pass.Session, pass.Weights.Embedding, memory.Tokens, pass.Pitch, memory.Residuals[0]);
        for (int layer = 0; layer < pass.Config.NLayer; layer++)
        {
            Block(pass, layer);
        }

        RmsNormalization.Forward(
            pass.Session, memory.Residuals[^1], pass.Config.DModel, pass.Weights.NormF, pass.Config.NormEpsilon, pass.Pitch, memory.FinalNormal);
    }

    private static void Block(PassContext pass, int layer)
    {
        (TrainingActivations memory, BlockViews block) = (pass.Memory, pass.Weights.Blocks[layer]);
        RmsNormalization.Forward(
            pass.Session, memory.Residuals[layer], pass.Config.DModel, block.Norm, pass.Config.NormEpsilon, pass.Pitch, memory.Normals[layer]);
        pass.Product(block.InWeight, memory.Normals[layer], memory.Gated[layer], block.InBias);
        CausalConvolution.Forward(pass.Session, pass.Convolution(layer, memory.States));
        pass.Product(block.XWeight, memory.Channels[layer], memory.XProjOutputs[layer], ArrayView<float>.Empty);
        NormalizeDtBC(pass, layer);
        pass.Product(block.DtWeight, memory.DtBC[layer].Slice(0, pass.Shape.Rank), memory.Deltas[layer], ArrayView<float>.Empty);
        SelectiveScan.Forward(pass.Session, pass.Scan(layer));
        pass.Product(block.OutWeight, memory.ScanOutputs[layer], memory.Mixed, block.OutBias);
        ResidualDropout.Add(pass.Session, memory.Residuals[layer], memory.Mixed, memory.Residuals[layer + 1], memory.Rows, pass.Dropout, layer);
    }

    // Falcon-Mamba normalizes dt, B and C, each by its own RMS and without a scale.
    private static void NormalizeDtBC(PassContext pass, int layer)
    {
        if (pass.Config.MixerNormEpsilon is not float epsilon)
        {
            return;
        }

        (int rank, int states) = (pass.Shape.Rank, pass.Shape.States);
        Part(0, rank, pass.Config.DtRank);
        Part(rank, states, pass.Config.DState);
        Part(rank + states, states, pass.Config.DState);

        void Part(int start, int rows, int features) => RmsNormalization.Forward(
            pass.Session,
            pass.Memory.XProjOutputs[layer].Slice(start, rows),
            features,
            ArrayView<float>.Empty,
            epsilon,
            pass.Pitch,
            pass.Memory.DtBC[layer].Slice(start, rows));
    }
}
