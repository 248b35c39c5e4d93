using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>The arrays of a layer, in the order in which a row of <see cref="PersistentArguments.Places"/> has them.</summary>
internal enum LayerArray
{
    Norm,
    InProj,
    InBias,
    ConvWeight,
    ConvBias,
    XProj,
    DtProj,
    DtBias,
    A2,
    D,
    OutProj,
    OutBias,

    /// <summary>How many there are.</summary>
    Count,
}

/// <summary>Numbers that groups of a running kernel pass to each other, each in a word of 64 bits with a tag: whoever reads the tag it waits for has the number too.</summary>
internal struct TaggedWords
{
    public ArrayView<long> View;

    /// <summary>The address of the first.</summary>
    public long Address;

    public static TaggedWords Of(ArrayView<long> view) => new() { View = view, Address = view.LoadEffectiveAddressAsPtr() };
}

/// <summary>Everything that <see cref="PersistentKernel"/> works on. Places are distances from <see cref="Origin"/> in units of 16 bytes.</summary>
internal struct PersistentArguments
{
    /// <summary>From where places are counted. All weights lie in the device's one address space, so one view reaches them.</summary>
    public ArrayView<Float4> Origin;

    /// <summary>The address of the first of them.</summary>
    public long OriginAddress;

    /// <summary>[layers, arrays]: where each array of each layer lies, or -1.</summary>
    public ArrayView<long> Places;

    /// <summary>[1]</summary>
    public ArrayView<int> Tokens;

    /// <summary>[1]</summary>
    public ArrayView<int> Slots;

    public ArrayView<float> Pool;

    /// <summary>The address of the first state.</summary>
    public long PoolAddress;

    /// <summary>[vocabulary], or empty: the head is not computed then.</summary>
    public ArrayView<float> Logits;

    /// <summary>[features]: the residual stream before a layer.</summary>
    public TaggedWords Residual;

    /// <summary>[rank + 2 * states, groups]: each group's share of x_proj.</summary>
    public TaggedWords Shares;

    /// <summary>[rank + 2 * states]: dt, B, C.</summary>
    public TaggedWords Projected;

    /// <summary>[channels]: the scan's output times the gate.</summary>
    public TaggedWords Gated;

    public MixerNorms Norms;
    public long EmbeddingPlace;
    public long HeadPlace;
    public long FinalNormPlace;
    public long StateLength;

    /// <summary>The tag of the residual stream before the first layer; later layers count on. Different in each launch.</summary>
    public int Tag;

    /// <summary>Groups that have channels and features; those beyond only help with the head.</summary>
    public int Groups;

    /// <summary>Into how many parts a row of in_proj and of out_proj is divided, so that all warps have work.</summary>
    public int InParts;
    public int OutParts;

    /// <summary>16-byte units from one row to the next of matrices with features, channels or dt's rank as inputs.</summary>
    public int FeaturePitch;
    public int ChannelPitch;
    public int RankPitch;

    public int Layers;
    public int Features;
    public int Channels;
    public int Rank;
    public int States;
    public int Vocabulary;

    /// <summary>d_conv</summary>
    public int Width;

    /// <summary>d_model: features without those that fill up.</summary>
    public int Count;

    public float Epsilon;

    public readonly int Projections => Rank + (2 * States);

    /// <summary>Where the sequence's state begins in the pool; the kernel itself looks it up.</summary>
    public long FirstState;

    /// <summary>1 where a row of in_proj is longer than what a warp has in registers.</summary>
    public int IsWide;

    /// <summary>Threads that share a row of x_proj: a power of two.</summary>
    public int RowThreads;

    /// <summary>Where a layer's state begins in the pool.</summary>
    public readonly long State(int layer) => FirstState + ((long)layer * Channels * (Width + States));
}
