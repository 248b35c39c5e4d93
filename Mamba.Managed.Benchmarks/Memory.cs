using Mamba.Managed.Tensors;

namespace Mamba.Managed.Benchmarks;

/// <summary>The arrays of a suite: floats between -1 and 1, the same at every run.</summary>
internal sealed unsafe class Memory : IDisposable
{
    private readonly List<TensorBuffer> buffers = [];
    private readonly Random random = new(1);

    /// <summary>A new array.</summary>
    public float* Floats(int count)
    {
        TensorBuffer buffer = TensorBuffer.Allocate((long)count * sizeof(float));
        buffers.Add(buffer);
        foreach (ref float value in buffer.Span<float>(0, count))
        {
            value = (2 * random.NextSingle()) - 1;
        }

        return (float*)buffer.Pointer;
    }

    /// <summary>A new matrix.</summary>
    public Tensor Matrix(int rows, int columns)
    {
        _ = Floats(rows * columns);
        return new Tensor(ElementType.Float32, [rows, columns], buffers[^1], 0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (TensorBuffer buffer in buffers)
        {
            buffer.Dispose();
        }

        buffers.Clear();
    }

    /// <summary>The numbers of a size, as <c>512x3072x768</c>.</summary>
    public static int[] Sizes(string size) => [.. size.Split('x').Select(number => int.Parse(number, System.Globalization.CultureInfo.InvariantCulture))];
}
