using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>One way to keep the weights of a panel, 16 outputs side by side, so that neighbouring lanes are neighbouring outputs.</summary>
/// <remarks>
/// A panel is a run of blocks of inputs, a block a head with what its weights share and then units of 8 inputs:
/// <code>| head | inputs 0..7 x 16 outputs | inputs 8..15 x 16 outputs | ... | head | ...</code>
/// Formats whose block is one unit may end with a part of it. A weight comes out as the number that
/// <see cref="Tensors.Tensor.ToFloat32"/> gives, so a product has the bits of one in single precision.
/// </remarks>
internal unsafe interface IPanelFormat
{
    /// <summary>Inputs of one unit.</summary>
    public const int UnitLength = 8;

    /// <summary>Inputs of one block: a multiple of <see cref="GroupLength"/>.</summary>
    static abstract int BlockLength { get; }

    /// <summary>Inputs that share scale and offset: a multiple of 8.</summary>
    static abstract int GroupLength { get; }

    /// <summary>Bytes of a block's head.</summary>
    static abstract int HeadBytes { get; }

    /// <summary>Bytes of a unit.</summary>
    static abstract int UnitBytes { get; }

    /// <summary>Bytes from one output to the next within a unit's row.</summary>
    static abstract int LaneBytes { get; }

    /// <summary>Puts one row of a matrix into a panel.</summary>
    /// <param name="row">The row's bytes, as a tensor stores them.</param>
    /// <param name="inputs">Elements of the row.</param>
    /// <param name="panel">Zero-filled where this row goes.</param>
    /// <param name="output">0 to 15.</param>
    /// <returns>False where a weight or a scale is not finite and the format's vector path could not tell.</returns>
    static abstract bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output);

    /// <summary>What codes are multiplied by, for some outputs.</summary>
    /// <param name="block">The block's head.</param>
    /// <param name="group">Which group of the block.</param>
    /// <param name="output">The first output.</param>
    static abstract V Scale<L, V>(byte* block, int group, int output)
        where L : struct, ILanes<V>;

    /// <summary>What is added after that.</summary>
    static abstract V Offset<L, V>(byte* block, int group, int output, V scale)
        where L : struct, ILanes<V>;

    /// <summary>The weights of one input.</summary>
    /// <param name="unit">The unit, at the first output.</param>
    /// <param name="input">0 to 7.</param>
    /// <param name="scale">As of <see cref="Scale"/>.</param>
    /// <param name="offset">As of <see cref="Offset"/>.</param>
    static abstract V Weight<L, V>(byte* unit, int input, V scale, V offset)
        where L : struct, ILanes<V>;
}
