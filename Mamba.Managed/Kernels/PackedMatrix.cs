using System.Runtime.CompilerServices;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>A weight matrix [outputs, inputs] of any type, packed into panels for the products.</summary>
/// <remarks>
/// A panel holds 16 outputs, with the 16 weights of one input contiguous, so that gemv and gemm both stream through the same layout. The last panel is
/// filled up with zeros. Weights keep the type of their tensor; <see cref="PanelKernels"/> defines the panels of each type.
/// <code>panel p:  | w[16p .. 16p+15, 0] | w[16p .. 16p+15, 1] | ... | w[16p .. 16p+15, inputs-1] |</code>
/// </remarks>
internal sealed unsafe class PackedMatrix : IDisposable
{
    /// <summary>Outputs of one panel.</summary>
    public const int PanelWidth = 16;

    /// <summary>The most inputs that are packed: a panel's bytes are then counted by an int, far beyond what any model needs.</summary>
    public const int MaxInputs = 1 << 24;

    private readonly TensorBuffer buffer;
    private readonly PanelKernels kernels;
    private readonly int panelBytes;

    /// <summary>Packs a copy of <paramref name="weight"/>.</summary>
    /// <param name="weight">[outputs, inputs], of any floating-point or quantized type.</param>
    /// <param name="threads">Threads that pack.</param>
    /// <param name="room">Memory of <see cref="LengthOf"/> bytes to pack into; null to allocate it.</param>
    public PackedMatrix(Tensor weight, int threads = 1, TensorBuffer? room = null)
    {
        (Outputs, Inputs) = SizesOf(weight);
        kernels = PanelKernels.For(weight.Type);
        panelBytes = kernels.PanelBytes(Inputs);
        buffer = room ?? Allocate();
        if (!Pack(weight, threads))
        {
            // The fast conversion from half precision cannot represent infinity, NaN or magnitudes from 64 up, so such a matrix is kept in single precision.
            buffer.Dispose();
            Tensor single = weight.ToFloat32();
            kernels = PanelKernels.For(single.Type);
            panelBytes = kernels.PanelBytes(Inputs);
            buffer = Allocate();
            Pack(single, threads);
            single.Buffer.Dispose();
        }
    }

    private PackedMatrix(PackedMatrix whole, int outputs)
    {
        Outputs = outputs;
        Inputs = whole.Inputs;
        kernels = whole.kernels;
        panelBytes = whole.panelBytes;
        buffer = whole.buffer;
    }

    /// <summary>Rows of the matrix.</summary>
    public int Outputs { get; }

    /// <summary>Columns of the matrix.</summary>
    public int Inputs { get; }

    /// <summary>Panels, the last perhaps partly empty.</summary>
    public int Panels => PanelsOf(Outputs);

    /// <summary>Length of the packed matrix in bytes.</summary>
    public long ByteLength => buffer.Length;

    /// <summary>The kernels where weights are quantized in blocks, else null.</summary>
    public BlockPanels? Blocks => kernels as BlockPanels;

    /// <summary>The kernels where weights are floating-point numbers, else null.</summary>
    public FloatPanels? Floats => kernels as FloatPanels;

    /// <summary>The first rows of this matrix, in the same memory.</summary>
    public PackedMatrix Top(int outputs) => new(this, outputs);

    /// <summary>Bytes that a matrix takes once it is packed.</summary>
    public static long LengthOf(Tensor weight)
    {
        (int outputs, int inputs) = SizesOf(weight);
        return (long)PanelsOf(outputs) * PanelKernels.For(weight.Type).PanelBytes(inputs);
    }

    /// <summary>One panel of weights.</summary>
    public byte* Panel(int index) => buffer.Pointer + ((long)index * panelBytes);

    /// <summary>Copies one row, as an embedding does.</summary>
    /// <param name="row">0 to <see cref="Outputs"/> - 1.</param>
    /// <param name="destination">[inputs]</param>
    public void CopyRow(int row, Span<float> destination)
    {
        kernels.CopyRow(Panel(row / PanelWidth), row % PanelWidth, destination);
        GC.KeepAlive(this);
    }

    /// <summary>Frees memory of its own; that of a part is freed with the whole.</summary>
    public void Dispose() => buffer.Dispose();

    private static (int Outputs, int Inputs) SizesOf(Tensor weight)
    {
        int outputs = weight.Shape[0], inputs = weight.Count / Math.Max(outputs, 1);
        return inputs <= MaxInputs
            ? (outputs, inputs)
            : Throw.Argument<(int, int)>(Throw.Invariant($"expected a matrix of at most {MaxInputs} inputs, found {weight}"), nameof(weight));
    }

    private static int PanelsOf(int outputs) => (int)((outputs + PanelWidth - 1L) / PanelWidth);

    private TensorBuffer Allocate() => TensorBuffer.Allocate((long)Panels * panelBytes, clear: false);

    private bool Pack(Tensor weight, int threads)
    {
        int rowBytes = (int)weight.Type.ByteLength(Inputs);
        int readable = 1;
        using TensorBuffer.Lease lease = weight.Buffer.Acquire();
        ParallelLoop.For(Panels, threads, PackPanel);
        return readable == 1;

        void PackPanel(int panel)
        {
            int first = panel * PanelWidth, end = Math.Min(first + PanelWidth, Outputs);
            if (end < first + PanelWidth)
            {
                Unsafe.InitBlockUnaligned(Panel(panel), 0, (uint)panelBytes);
            }

            for (int row = first; row < end; row++)
            {
                if (!kernels.Pack(weight.Buffer.Span<byte>(weight.Offset + ((long)row * rowBytes), rowBytes), Inputs, Panel(panel), row - first))
                {
                    Volatile.Write(ref readable, 0);
                }
            }
        }
    }
}
