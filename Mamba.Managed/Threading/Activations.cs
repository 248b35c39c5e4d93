using Mamba.Managed.Tensors;

namespace Mamba.Managed.Threading;

/// <summary>Floats that one phase of a pass writes and a later phase reads, for all rows.</summary>
/// <remarks>
/// In huge pages: a tile of a product reads a few entries of many rows, and with small pages each row would need its own TLB entry.
/// Arrays are offset from each other by a few cache lines. Otherwise equal entries of several arrays would share their low 12 address bits, and
/// loads would wait on unrelated stores (4K aliasing).
/// </remarks>
/// <param name="place">0, 1, ...: a different number for each of the arrays that are used together.</param>
internal sealed unsafe class Activations(int place) : IDisposable
{
    // Five cache lines.
    private readonly int offset = 320 * place;
    private TensorBuffer buffer = TensorBuffer.Allocate(0);
    private int capacity;

    /// <summary>The first float.</summary>
    public float* Start => (float*)(buffer.Pointer + offset);

    /// <summary>Makes room for a number of floats; the contents are lost if the memory has to grow.</summary>
    /// <remarks>Not cleared: every float must be written before it is read, and pages that are never written take no physical memory.</remarks>
    public void Reserve(int count)
    {
        if (capacity < count)
        {
            // If the allocation fails, the next call must not take the old memory for sufficient.
            capacity = 0;
            buffer.Dispose();
            buffer = TensorBuffer.Allocate(offset + ((long)count * sizeof(float)), clear: false);
            capacity = count;
        }
    }

    /// <summary>A range of the floats.</summary>
    public Span<float> Slice(int start, int count) => buffer.Span<float>(offset + ((long)start * sizeof(float)), count);

    /// <inheritdoc/>
    public void Dispose() => buffer.Dispose();
}
