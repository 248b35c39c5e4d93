using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Benchmarks;

/// <summary>The arrays of a suite: floats between -1 and 1, the same at every run.</summary>
internal sealed unsafe class Memory : IDisposable
{
    // As many as begin at different places.
    private const int Places = 12;

    private readonly List<Activations> arrays = [];
    private readonly List<TensorBuffer> matrices = [];
    private readonly Random random = new(1);

    /// <summary>A new array, where the arrays of a model lie.</summary>
    public float* Floats(int count)
    {
        Activations array = new(arrays.Count % Places);
        array.Reserve(count);
        arrays.Add(array);
        Fill(array.Slice(0, count));
        return array.Start;
    }

    /// <summary>A new matrix.</summary>
    public Tensor Matrix(int rows, int columns)
    {
        TensorBuffer buffer = TensorBuffer.Allocate((long)rows * columns * sizeof(float));
        matrices.Add(buffer);
        Fill(buffer.Span<float>(0, rows * columns));
        return new Tensor(ElementType.Float32, [rows, columns], buffer, 0);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        arrays.ForEach(array => array.Dispose());
        matrices.ForEach(matrix => matrix.Dispose());
        arrays.Clear();
        matrices.Clear();
    }

    private void Fill(Span<float> values)
    {
        foreach (ref float value in values)
        {
            value = (2 * random.NextSingle()) - 1;
        }
    }

    /// <summary>The numbers of a size, as <c>512x3072x768</c>.</summary>
    public static int[] Sizes(string size) => [.. size.Split('x').Select(number => int.Parse(number, System.Globalization.CultureInfo.InvariantCulture))];
}
