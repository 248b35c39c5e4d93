using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Kernels;

/// <summary>The kernels for panels of one weight type. A panel interleaves 16 outputs, so that vector lanes are outputs.</summary>
internal abstract unsafe class PanelKernels
{
    /// <summary>Outputs of a panel.</summary>
    public const int Width = PackedMatrix.PanelWidth;

    /// <summary>The kernels for a type.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The type holds no weights.</exception>
    public static PanelKernels For(ElementType type) => type switch
    {
        ElementType.Float32 => new Float32Panels(),
        ElementType.Float16 => new SixteenBitPanels<Float16Code>(),
        ElementType.BFloat16 => new SixteenBitPanels<BFloat16Code>(),
        ElementType.Q8_0 => new BlockFormatPanels<Q8_0, Codes8>(),
        ElementType.Q4_0 => new BlockFormatPanels<Q4_0, Codes4>(),
        ElementType.Q4_1 => new BlockFormatPanels<Q4_1, Codes4>(),
        ElementType.Q5_0 => new BlockFormatPanels<Q5_0, Codes5>(),
        ElementType.Q5_1 => new BlockFormatPanels<Q5_1, Codes5>(),
        ElementType.Q2_K => new BlockFormatPanels<Q2_K, Codes2>(),
        ElementType.Q3_K => new BlockFormatPanels<Q3_K, Codes3>(),
        ElementType.Q4_K => new BlockFormatPanels<Q4_K, Codes4>(),
        ElementType.Q5_K => new BlockFormatPanels<Q5_K, Codes5>(),
        ElementType.Q6_K => new BlockFormatPanels<Q6_K, Codes6>(),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "expected a floating-point or quantized type"),
    };

    /// <summary>Bytes of one panel.</summary>
    public abstract int PanelBytes(int inputs);

    /// <summary>Packs one row of a matrix into a panel.</summary>
    /// <param name="row">The bytes of the row, as a tensor stores them.</param>
    /// <param name="inputs">Elements of the row.</param>
    /// <param name="panel">The panel.</param>
    /// <param name="output">0 to 15.</param>
    /// <returns>False where a weight or a scale is not finite, or too large for the format's fast conversion.</returns>
    public abstract bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output);

    /// <summary>The elements of one row, as <see cref="Tensor.ToFloat32"/> gives them.</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="output">0 to 15.</param>
    /// <param name="destination">[inputs]</param>
    public abstract void CopyRow(byte* panel, int output, Span<float> destination);
}
