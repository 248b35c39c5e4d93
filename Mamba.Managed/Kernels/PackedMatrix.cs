using Mamba.Managed.Tensors;

namespace Mamba.Managed.Kernels;

/// <summary>A weight matrix [outputs, inputs] in the order in which the product reads it.</summary>
/// <remarks>
/// Panels of 16 outputs; within a panel the 16 weights of one input are neighbours, so one layout streams through a vector product and a
/// matrix product alike. The last panel is filled up with zeros.
/// <code>panel p:  | w[16p .. 16p+15, 0] | w[16p .. 16p+15, 1] | ... | w[16p .. 16p+15, inputs-1] |</code>
/// </remarks>
internal sealed class PackedMatrix
{
    /// <summary>Outputs of one panel.</summary>
    public const int PanelWidth = 16;

    private readonly TensorBuffer buffer;

    /// <summary>Packs a copy of <paramref name="weight"/>.</summary>
    /// <param name="weight">[outputs, inputs], of any floating-point type.</param>
    public PackedMatrix(Tensor weight)
    {
        Outputs = weight.Shape[0];
        Inputs = weight.Count / Math.Max(Outputs, 1);
        buffer = TensorBuffer.Allocate((long)Panels * PanelLength * sizeof(float));
        Tensor single = weight.ToFloat32();
        ReadOnlySpan<float> rows = single.Floats;
        for (int row = 0; row < Outputs; row++)
        {
            Span<float> panel = Panel(row / PanelWidth);
            ReadOnlySpan<float> source = rows.Slice(row * Inputs, Inputs);
            for (int k = 0, at = row % PanelWidth; k < source.Length; k++, at += PanelWidth)
            {
                panel[at] = source[k];
            }
        }

        GC.KeepAlive(single);
    }

    /// <summary>Rows of the matrix.</summary>
    public int Outputs { get; }

    /// <summary>Columns of the matrix.</summary>
    public int Inputs { get; }

    /// <summary>Panels, the last perhaps partly empty.</summary>
    public int Panels => (Outputs + PanelWidth - 1) / PanelWidth;

    /// <summary>Floats of one panel.</summary>
    public int PanelLength => PanelWidth * Inputs;

    /// <summary>Memory taken, in bytes.</summary>
    public long ByteLength => buffer.Length;

    /// <summary>Panel <paramref name="index"/>: [inputs, 16].</summary>
    public Span<float> Panel(int index) => buffer.Span<float>((long)index * PanelLength * sizeof(float), PanelLength);

    /// <summary>Copies one row, as an embedding does.</summary>
    /// <param name="row">0 to <see cref="Outputs"/> - 1.</param>
    /// <param name="destination">[inputs]</param>
    public void CopyRow(int row, Span<float> destination)
    {
        ReadOnlySpan<float> panel = Panel(row / PanelWidth);
        for (int k = 0, at = row % PanelWidth; k < destination.Length; k++, at += PanelWidth)
        {
            destination[k] = panel[at];
        }
    }
}
