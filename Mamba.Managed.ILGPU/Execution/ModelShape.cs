using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>The sizes of a model as they lie in device memory: filled up to the multiples of <see cref="Padding"/>.</summary>
/// <param name="config">The model's own sizes.</param>
internal sealed class ModelShape(MambaConfig config)
{
    /// <summary>The model's own sizes.</summary>
    public MambaConfig Config { get; } = config;

    /// <summary>Rows of the residual stream.</summary>
    public int Features { get; } = Padding.Up(config.DModel, Padding.Rows);

    /// <summary>Rows of a mixer's activations.</summary>
    public int Channels { get; } = Padding.Up(config.DInner, Padding.Rows);

    /// <summary>Rows of dt before its projection.</summary>
    public int Rank { get; } = Padding.Up(config.DtRank, Padding.Rows);

    /// <summary>States of a channel; rows of B and of C.</summary>
    public int States { get; } = Padding.Up(config.DState, Padding.States);

    /// <summary>Rows of the embedding and of the head.</summary>
    public int Vocabulary { get; } = Padding.Up(config.VocabSize, Padding.Rows);

    /// <summary>Entries from one row of logits to the next: rows are [vocab_size].</summary>
    public int LogitPitch { get; } = Padding.Up(config.VocabSize, Padding.Columns);

    /// <summary>Rows of the projection to dt, B and C, one after the other.</summary>
    public int Projected => Rank + (2 * States);

    /// <summary>Numbers of one layer's state: conv_state [d_conv, channels], then ssm_state [channels, states].</summary>
    public long LayerStateLength => (long)Channels * (Config.DConv + States);

    /// <summary>Numbers of a sequence's state: that of each layer, first to last.</summary>
    public long StateLength => Config.NLayer * LayerStateLength;

    /// <summary>Whether a state lies in device memory as <see cref="StateLayout"/> has it, without padding between.</summary>
    public bool IsCanonical => Channels == Config.DInner && States == Config.DState;

    /// <summary>Where conv_state of a layer begins in a sequence's state.</summary>
    public long ConvOffset(int layer) => layer * LayerStateLength;

    /// <summary>Where ssm_state of a layer begins in a sequence's state.</summary>
    public long ScanOffset(int layer) => ConvOffset(layer) + ((long)Config.DConv * Channels);
}
