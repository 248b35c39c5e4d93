using ILGPU;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>The parameters of one block in device memory, or their gradients; empty for those that the block lacks.</summary>
internal sealed class BlockViews(ArrayView<float> block, BlockPlaces places)
{
    /// <summary>[features]</summary>
    public ArrayView<float> Norm { get; } = ParameterViews.Vector(block, places.Norm);

    /// <summary>[2 * channels, features]</summary>
    public DeviceMatrix InWeight { get; } = ParameterViews.Matrix(block, places.InWeight);

    /// <summary>[2 * channels]</summary>
    public ArrayView<float> InBias { get; } = ParameterViews.Vector(block, places.InBias);

    /// <summary>[channels, d_conv]</summary>
    public ArrayView<float> ConvWeight { get; } = ParameterViews.Vector(block, places.ConvWeight);

    /// <summary>[channels]</summary>
    public ArrayView<float> ConvBias { get; } = ParameterViews.Vector(block, places.ConvBias);

    /// <summary>[rank + 2 * states, channels]</summary>
    public DeviceMatrix XWeight { get; } = ParameterViews.Matrix(block, places.XWeight);

    /// <summary>[channels, rank]</summary>
    public DeviceMatrix DtWeight { get; } = ParameterViews.Matrix(block, places.DtWeight);

    /// <summary>[channels]</summary>
    public ArrayView<float> DtBias { get; } = ParameterViews.Vector(block, places.DtBias);

    /// <summary>[channels, states]</summary>
    public ArrayView<float> ALog { get; } = ParameterViews.Vector(block, places.ALog);

    /// <summary>[channels]</summary>
    public ArrayView<float> D { get; } = ParameterViews.Vector(block, places.D);

    /// <summary>[features, channels]</summary>
    public DeviceMatrix OutWeight { get; } = ParameterViews.Matrix(block, places.OutWeight);

    /// <summary>[features]</summary>
    public ArrayView<float> OutBias { get; } = ParameterViews.Vector(block, places.OutBias);
}

/// <summary>The parameters of a model in device memory, or their gradients.</summary>
/// <param name="all">All of them, as the layout says.</param>
/// <param name="layout">Where each lies.</param>
internal sealed class ParameterViews(ArrayView<float> all, ParameterLayout layout)
{
    /// <summary>All of them in one.</summary>
    public ArrayView<float> All { get; } = all;

    /// <summary>A_log of all blocks, with gaps.</summary>
    public ArrayView<float> ALogs { get; } = all.SubView(0, layout.ALogLength);

    /// <summary>[vocabulary, features]</summary>
    public DeviceMatrix Embedding { get; } = Matrix(all, layout.Embedding);

    /// <summary>[vocabulary, features]: the embedding itself for a tied head.</summary>
    public DeviceMatrix Head { get; } = Matrix(all, layout.Head);

    /// <summary>[features]</summary>
    public ArrayView<float> NormF { get; } = Vector(all, layout.NormF);

    public BlockViews[] Blocks { get; } = [.. layout.Blocks.Select(places => new BlockViews(all, places))];

    public static DeviceMatrix Matrix(ArrayView<float> block, ParameterPlace place) =>
        new(block.SubView(place.Start, place.Length).Cast<Float4>(), place.Rows, place.Pitch, NumberType.Float32);

    public static ArrayView<float> Vector(ArrayView<float> block, ParameterPlace? place) =>
        place is null ? ArrayView<float>.Empty : block.SubView(place.Start, place.Length);
}
