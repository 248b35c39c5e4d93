using BenchmarkDotNet.Attributes;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Benchmarks;

/// <summary>The product of rows with a float32 matrix, on one thread: the projections of the 130m shape, few rows, and a ragged size.</summary>
public unsafe class MatrixProductSuite : ISuite
{
    private readonly Memory memory = new();
    private readonly GemmScratch scratch = MatrixProduct.CreateScratch(1);
    private PackedMatrix? weight;
    private float* x;
    private float* y;
    private int rows;

    /// <summary>Rows x outputs x inputs.</summary>
    [Params(
        "512x3072x768", "512x768x1536", "512x80x1536", "512x1536x48", "512x50280x768",
        "1x3072x768", "2x3072x768", "4x3072x768", "8x3072x768", "16x3072x768", "32x3072x768", "37x101x71")]
    public string Size { get; set; } = "";

    /// <inheritdoc/>
    public Work Work => Memory.Sizes(Size) is [int rows, int outputs, int inputs]
        ? new(2.0 * rows * outputs * inputs, sizeof(float) * (((double)outputs * inputs) + ((double)rows * (inputs + outputs))), IsStreaming: false, 1)
        : default;

    /// <summary>Packs the matrix.</summary>
    [GlobalSetup]
    public void Setup()
    {
        int[] sizes = Memory.Sizes(Size);
        weight = new(memory.Matrix(sizes[1], sizes[2]));
        rows = sizes[0];
        MatrixProduct.Reserve(scratch, rows, weight.Inputs);
        x = memory.Floats(rows * weight.Inputs);
        y = memory.Floats(rows * weight.Outputs);
    }

    /// <summary>Frees the matrix.</summary>
    [GlobalCleanup]
    public void Cleanup() => memory.Dispose();

    /// <summary>y = x W'.</summary>
    [Benchmark]
    public void Product() => MatrixProduct.Forward(
        Worker.Alone, scratch, new ReadOnlySpan<float>(x, rows * weight!.Inputs), weight.Inputs, weight, [], new Span<float>(y, rows * weight.Outputs), rows);
}

/// <summary>Rows with a matrix too large for any cache, in each format, on one thread: the head of the 130m shape.</summary>
public unsafe class FormatSuite : ISuite
{
    private const int Outputs = 50280;

    // Small formats would stay in a large cache, so a call takes the next of several copies.
    private const long LeastBytes = 128 << 20;

    private readonly Memory memory = new();
    private readonly GemmScratch scratch = MatrixProduct.CreateScratch(1);
    private PackedMatrix[] weights = [];
    private int calls;
    private float* x;
    private float* y;

    /// <summary>How the weights are held.</summary>
    [Params(
        ElementType.Float32, ElementType.Float16, ElementType.BFloat16, ElementType.Q8_0, ElementType.Q4_0, ElementType.Q4_1, ElementType.Q5_0,
        ElementType.Q5_1, ElementType.Q2_K, ElementType.Q3_K, ElementType.Q4_K, ElementType.Q5_K, ElementType.Q6_K)]
    public ElementType Type { get; set; }

    /// <summary>Rows: 1 is the vector product of generation, limited by the memory.</summary>
    [Params(1, 128)]
    public int Rows { get; set; }

    private static int Inputs => 768;

    /// <inheritdoc/>
    public Work Work => new(2.0 * Rows * Outputs * Inputs, (double)Outputs * Inputs / Type.BlockLength() * Type.BlockSize(), Rows == 1, 1);

    /// <summary>Packs the matrix.</summary>
    [GlobalSetup]
    public void Setup()
    {
        using (Memory single = new())
        {
            Tensor weight = single.Matrix(Outputs, Inputs).ConvertTo(Type);
            weights = [.. Enumerable.Range(0, Rows == 1 ? (int)(LeastBytes / weight.ByteLength) + 1 : 1).Select(_ => new PackedMatrix(weight))];
        }

        MatrixProduct.Reserve(scratch, Rows, Inputs);
        x = memory.Floats(Rows * Inputs);
        y = memory.Floats(Rows * Outputs);
    }

    /// <summary>Frees the rows.</summary>
    [GlobalCleanup]
    public void Cleanup() => memory.Dispose();

    /// <summary>y = x W'.</summary>
    [Benchmark]
    public void Product() => MatrixProduct.Forward(
        Worker.Alone, scratch, new ReadOnlySpan<float>(x, Rows * Inputs), Inputs, weights[calls++ % weights.Length], [], new Span<float>(y, Rows * Outputs), Rows);
}

/// <summary>The product of training, which packs both sides itself, on one thread: y = x W', dx = dy W and dW = dy' x of a projection.</summary>
public unsafe class StridedProductSuite : ISuite
{
    private readonly Memory memory = new();
    private readonly GemmScratch scratch = GeneralGemm.CreateScratch(1);
    private MatrixView a;
    private MatrixView b;
    private MatrixView c;

    /// <summary>Rows x columns of the result x depth, and which side is read across its rows.</summary>
    [Params("512x3072x768 right", "512x768x3072 none", "3072x768x512 left", "37x71x101 none")]
    public string Size { get; set; } = "";

    /// <inheritdoc/>
    public Work Work
    {
        get
        {
            int[] sizes = Memory.Sizes(Size.Split(' ')[0]);
            double rows = sizes[0], columns = sizes[1], depth = sizes[2];
            return new(2 * rows * columns * depth, sizeof(float) * ((rows * depth) + (depth * columns) + (rows * columns)), IsStreaming: false, 1);
        }
    }

    /// <summary>Makes the matrices.</summary>
    [GlobalSetup]
    public void Setup()
    {
        string[] parts = Size.Split(' ');
        int[] sizes = Memory.Sizes(parts[0]);
        (int rows, int columns, int depth) = (sizes[0], sizes[1], sizes[2]);
        a = parts[1] == "left" ? new MatrixView(memory.Floats(rows * depth), depth, rows).Transposed : new(memory.Floats(rows * depth), rows, depth);
        b = parts[1] == "right" ? new MatrixView(memory.Floats(depth * columns), columns, depth).Transposed : new(memory.Floats(depth * columns), depth, columns);
        c = new(memory.Floats(rows * columns), rows, columns);
    }

    /// <summary>Frees the matrices.</summary>
    [GlobalCleanup]
    public void Cleanup() => memory.Dispose();

    /// <summary>C = A B.</summary>
    [Benchmark]
    public void Product() => GeneralGemm.Run(Worker.Alone, scratch, a, b, c);
}
