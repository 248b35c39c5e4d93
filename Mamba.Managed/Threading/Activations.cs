using Mamba.Managed.Tensors;

namespace Mamba.Managed.Threading;

/// <summary>Floats that one phase of a pass leaves for the next, for all rows.</summary>
/// <remarks>
/// In large pages, since a tile meets a piece of many rows, each in a small page of its own. Arrays begin at different places within a page: the
/// entries of a row that several of them hold would else share the low bits of their addresses, by which a processor looks for earlier stores.
/// </remarks>
/// <param name="place">0, 1, ...: its own for each array that is used together with others.</param>
internal sealed unsafe class Activations(int place) : IDisposable
{
    // Five cache lines.
    private readonly int offset = 320 * place;
    private TensorBuffer buffer = TensorBuffer.Allocate(0);
    private int capacity;

    /// <summary>The first float.</summary>
    public float* Start => (float*)(buffer.Pointer + offset);

    /// <summary>Makes room; what was there is lost if it did not suffice.</summary>
    /// <remarks>Not cleared: every float is to be written before it is read, and what nobody writes takes no memory.</remarks>
    public void Reserve(int count)
    {
        if (capacity < count)
        {
            // Where memory is short, the next call begins anew.
            capacity = 0;
            buffer.Dispose();
            buffer = TensorBuffer.Allocate(offset + ((long)count * sizeof(float)), clear: false);
            capacity = count;
        }
    }

    /// <summary>Some of the floats.</summary>
    public Span<float> Slice(int start, int count) => buffer.Span<float>(offset + ((long)start * sizeof(float)), count);

    /// <inheritdoc/>
    public void Dispose() => buffer.Dispose();
}
