using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>Kernels load and store nothing outside their arrays, and give the same bits wherever these lie in a page.</summary>
/// <remarks>Each case runs with every array beginning at a page without access, then with every array ending at one; see <see cref="GuardedMemory"/>.</remarks>
public unsafe class GuardPageTests
{
    private const int Longest = 130;
    private const float Epsilon = 1e-5f;

    // Around the vector widths, the 64 channels of a tile, and a vector and a narrower one.
    private static readonly int[] Widths = [1, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 28, 31, 33, 48, 63, 64, 65, 79, 80, 100, 127, 129, 130];

    private static readonly ElementType[] Blocks = [.. Enum.GetValues<ElementType>().Where(type => type.IsQuantized())];
    private static readonly ElementType[] Weights = [.. Enum.GetValues<ElementType>().Where(type => type != ElementType.Int64)];

    private delegate void Kernel(GuardedMemory memory, int count, List<float> results);

    private static readonly Dictionary<string, (int Least, Kernel Run)> Elementwise = new()
    {
        ["rms norm"] = (0, RmsNorm),
        ["rms norm in place"] = (0, RmsNormInPlace),
        ["rms norm backward"] = (0, RmsNormBackward),
        ["dot product"] = (0, Dot),
        ["cross entropy"] = (1, CrossEntropyRow),
        ["softmax weights"] = (0, Softmax),
        ["AdamW"] = (0, AdamW),
        ["moving average"] = (0, Average),
    };

    private static IEnumerable<string> ElementwiseNames => Elementwise.Keys;

    [TestCaseSource(nameof(ElementwiseNames))]
    public void Kernels_over_one_row_stay_within_it(string name)
    {
        (int least, Kernel kernel) = Elementwise[name];
        for (int count = least; count <= Longest; count++)
        {
            AssertGuarded(kernel, count);
        }
    }

    [Test]
    public void The_convolution_stays_within_its_arrays([Values(1, 2, 7)] int length, [Values(1, 4)] int width, [Values] bool optional)
    {
        foreach (int channels in Widths)
        {
            AssertGuarded(
                (memory, channels, results) =>
                {
                    float* state = memory.Random(width * channels, 1), y = memory.Allocate<float>(length * channels);
                    CausalConvolution.Forward(
                        memory.Random(length * channels, 2), channels, memory.Random(width * channels, 3), optional ? memory.Random(channels, 4) : null,
                        state, y, length, channels, width, optional, 0, channels, optional ? memory.Random(width * channels, 5) : null);
                    results.AddRange(new Span<float>(y, length * channels));
                    results.AddRange(new Span<float>(state, width * channels));
                },
                channels);
        }
    }

    [Test]
    public void The_convolutions_gradients_stay_within_their_arrays([Values(1, 3, 7)] int length, [Values(1, 4)] int width)
    {
        foreach (int channels in Widths)
        {
            AssertGuarded(
                (memory, channels, results) =>
                {
                    float* dx = memory.Allocate<float>(length * channels), dstate = memory.Random(width * channels, 1);
                    float* dw = memory.Allocate<float>(width * channels), dbias = memory.Allocate<float>(channels);
                    CausalConvolutionBackward backward = new()
                    {
                        X = memory.Random(length * channels, 2), XGradient = dx, Pitch = channels, Weight = memory.Random(width * channels, 3),
                        Bias = memory.Random(channels, 4), Window = memory.Random(width * channels, 5), ConvStateGradient = dstate,
                        OutputGradient = memory.Random(length * channels, 6), WeightGradient = dw, BiasGradient = dbias,
                        Length = length, Channels = channels, Width = width,
                    };
                    backward.Run(0, channels);
                    results.AddRange(new Span<float>(dx, length * channels));
                    results.AddRange(new Span<float>(dstate, width * channels));
                    results.AddRange(new Span<float>(dw, width * channels));
                    results.AddRange(new Span<float>(dbias, channels));
                },
                channels);
        }
    }

    [Test]
    public void The_scan_stays_within_its_arrays([Values(1, 2, 33)] int length, [Values(1, 5, 16)] int states, [Values] bool optional)
    {
        foreach (int channels in Widths)
        {
            AssertGuarded(
                (memory, channels, results) =>
                {
                    float* state = memory.Random(states * channels, 1), y = memory.Allocate<float>(length * channels), limit = memory.Zeros(channels);
                    new Span<float>(limit, channels).Fill(1);
                    SelectiveScan scan = new()
                    {
                        U = memory.Random(length * channels, 2), Dt = memory.Random(length * channels, 3), DtPitch = channels,
                        Bias = optional ? memory.Random(channels, 4) : null, Softplus = optional, Decay = memory.Random(states * channels, 5),
                        MaxDecay = optional ? limit : null, B = memory.Random(length * states, 6), C = memory.Random(length * states, 7), Pitch = states,
                        D = optional ? memory.Random(channels, 8) : null, Z = optional ? memory.Random(length * channels, 9) : null, ZPitch = channels,
                        State = state, Next = optional ? memory.Random(states * channels, 10) : null, Y = y,
                        Length = length, Channels = channels, States = states,
                    };
                    scan.Forward(0, channels);
                    results.AddRange(new Span<float>(y, length * channels));
                    results.AddRange(new Span<float>(state, states * channels));
                },
                channels);
        }
    }

    [Test]
    public void The_scans_gradients_stay_within_their_arrays([Values(1, 65)] int length, [Values(1, 5)] int states)
    {
        foreach (int channels in Widths)
        {
            AssertGuarded(
                (memory, channels, results) =>
                {
                    int rows = length * channels, blocks = SelectiveScanBackward.Blocks(channels), selection = length * 2 * states;
                    int chunks = (length + SelectiveScanBackward.ChunkLength - 1) / SelectiveScanBackward.ChunkLength;
                    float* y = memory.Allocate<float>(rows), du = memory.Allocate<float>(rows), ddt = memory.Allocate<float>(rows), dz = memory.Allocate<float>(rows);
                    float* dbc = memory.Allocate<float>(blocks * selection), dstate = memory.Random(states * channels, 1), da = memory.Zeros(states * channels);
                    float* dd = memory.Zeros(channels), dbias = memory.Zeros(channels);
                    SelectiveScanBackward backward = new()
                    {
                        U = memory.Random(rows, 2), Dt = memory.Random(rows, 3), Bias = memory.Random(channels, 4), Softplus = true,
                        Decay = memory.Random(states * channels, 5), B = memory.Random(length * states, 6), C = memory.Random(length * states, 7),
                        Pitch = states, D = memory.Random(channels, 8), Z = memory.Random(rows, 9), ZPitch = channels,
                        InitialState = memory.Random(states * channels, 10), Checkpoints = memory.Random((chunks - 1) * states * channels, 11),
                        OutputGradient = memory.Random(rows, 12), Y = y, UGradient = du, DtGradient = ddt, ZGradient = dz, BCGradient = dbc,
                        BlockPitch = selection, StateGradient = dstate, AGradient = da, DGradient = dd, BiasGradient = dbias,
                        Length = length, Channels = channels, States = states,
                    };
                    backward.Run(0, blocks, memory.Allocate<float>(SelectiveScanBackward.LanesLength(states)));
                    foreach (nint result in (nint[])[(nint)y, (nint)du, (nint)ddt, (nint)dz])
                    {
                        results.AddRange(new Span<float>((float*)result, rows));
                    }

                    results.AddRange(new Span<float>(dbc, blocks * selection));
                    results.AddRange(new Span<float>(dstate, states * channels));
                    results.AddRange(new Span<float>(da, states * channels));
                    results.AddRange(new Span<float>(dd, channels));
                    results.AddRange(new Span<float>(dbias, channels));
                },
                channels);
        }
    }

    [Test]
    public void General_products_stay_within_their_matrices([Values(1, 4, 6, 7, 13, 30)] int m, [Values(1, 15, 16, 17, 33, 64)] int n, [Values] bool accumulate)
    {
        foreach (int k in (int[])[1, 3, 4, 5, 8, 11, 17])
        {
            using GemmScratch scratch = GeneralGemm.CreateScratch(1);
            AssertGuarded(
                (memory, k, results) =>
                {
                    float* a = memory.Random(m * k, 1), b = memory.Random(k * n, 2), bias = memory.Random(n, 3);
                    foreach (bool turned in (bool[])[false, true])
                    {
                        float* c = memory.Random(m * n, 4);
                        GeneralGemm.Run(
                            Worker.Alone, scratch, turned ? new MatrixView(a, k, m).Transposed : new(a, m, k),
                            turned ? new MatrixView(b, n, k).Transposed : new(b, k, n), new(c, m, n), accumulate, bias);
                        results.AddRange(new Span<float>(c, m * n));
                    }
                },
                k);
        }
    }

    [Test]
    public void Products_stay_within_activations_bias_and_outputs(
        [ValueSource(nameof(Weights))] ElementType type, [Values(1, 2, 3, 7, 17, 30)] int rows, [Values(1, 16, 35, 150)] int outputs)
    {
        int inputs = type.IsQuantized() ? 256 : 37;
        PackedMatrix weight = new(Tensor.FromFloats(Random(outputs * inputs), outputs, inputs).ConvertTo(type, 1));
        using GemmScratch scratch = MatrixProduct.CreateScratch(1, rows, inputs);
        AssertGuarded(
            (memory, inputs, results) =>
            {
                Span<float> y = new(memory.Allocate<float>(rows * outputs), rows * outputs);
                Span<float> x = new(memory.Random(rows * inputs, 1), rows * inputs), bias = new(memory.Random(outputs, 2), outputs);
                MatrixProduct.Forward(Worker.Alone, scratch, x, inputs, weight, bias, y, rows);
                results.AddRange(y);
            },
            inputs);
    }

    [Test]
    public void Products_stay_within_packed_weights([ValueSource(nameof(Weights))] ElementType type, [Values(1, 2, 3, 5, 8)] int panels)
    {
        const int Width = PackedMatrix.PanelWidth;
        int inputs = type.IsQuantized() ? 256 : 37;
        PanelKernels kernels = PanelKernels.For(type);
        Tensor weight = Tensor.FromFloats(Random(panels * Width * inputs), panels * Width, inputs).ConvertTo(type, 1);
        AssertGuarded(
            (memory, inputs, results) =>
            {
                int rowBytes = (int)type.ByteLength(inputs);
                byte* packed = memory.Allocate<byte>(panels * kernels.PanelBytes(inputs));
                for (int row = 0; row < panels * Width; row++)
                {
                    byte* bytes = memory.Allocate<byte>(rowBytes);
                    weight.Buffer.Span<byte>(weight.Offset + (row * (long)rowBytes), rowBytes).CopyTo(new Span<byte>(bytes, rowBytes));
                    kernels.Pack(new ReadOnlySpan<byte>(bytes, rowBytes), inputs, packed + (row / Width * kernels.PanelBytes(inputs)), row % Width);
                }

                float* x = memory.Random(6 * inputs, 1), y = memory.Zeros(panels * Width);
                byte* last = packed + ((panels - 1) * kernels.PanelBytes(inputs));
                switch (kernels)
                {
                    case FloatPanels floats:
                        floats.Gemv(x, inputs, packed, panels, y);
                        results.AddRange(new Span<float>(floats.Unpack(last, 0, inputs, memory.Allocate<float>(Width * inputs)), Width * inputs));
                        break;
                    case BlockPanels blocks:
                        int length = QuantizedActivations.RowLength(inputs, blocks.GroupLength, words: false);
                        int* row = memory.Allocate<int>(length);
                        QuantizedActivations.Pack(new MatrixView(x, 1, inputs), 0, 1, 0, inputs, blocks.GroupLength, blocks.Zero, words: false, row);
                        blocks.Gemv(row, inputs, 0, inputs, packed, panels, y);
                        Tiles(memory, blocks, x, inputs, packed, Math.Min(panels, 2), results);
                        break;
                }

                results.AddRange(new Span<float>(y, panels * Width));
                Span<float> copied = new(memory.Allocate<float>(inputs), inputs);
                kernels.CopyRow(last, Width - 1, copied);
                results.AddRange(copied);
            },
            inputs);
    }

    [Test]
    public void Packing_stays_within_its_matrices([Values(1, 4, 6, 7, 12, 13, 31)] int height, [Values] bool turned)
    {
        foreach (int depth in (int[])[1, 3, 4, 5, 8, 9, 13])
        {
            AssertGuarded(
                (memory, depth, results) =>
                {
                    float* from = memory.Random(height * depth, 1), rows = memory.Allocate<float>(height * depth);
                    MatrixView a = turned ? new MatrixView(from, depth, height).Transposed : new(from, height, depth);
                    GemmPacking.Rows(a, 0, height, 0, depth, rows);
                    int panels = (height + PackedMatrix.PanelWidth - 1) / PackedMatrix.PanelWidth * PackedMatrix.PanelWidth * depth;
                    float* columns = memory.Allocate<float>(panels);
                    GemmPacking.Columns(a.Transposed, 0, depth, 0, height, columns);
                    results.AddRange(new Span<float>(rows, height * depth));
                    results.AddRange(new Span<float>(columns, panels));
                },
                depth);
        }
    }

    [Test]
    public void Conversions_stay_within_blocks_and_elements([ValueSource(nameof(Blocks))] ElementType type, [Values(0, 1, 3)] int blocks)
    {
        AssertGuarded(
            (memory, blocks, results) =>
            {
                int count = blocks * type.BlockLength(), size = blocks * type.BlockSize();
                Span<byte> bytes = new(memory.Allocate<byte>(size), size);
                Span<float> values = new(memory.Random(count, 1), count), back = new(memory.Allocate<float>(count), count);
                BlockFormats.Quantize(type, values, bytes);
                BlockFormats.Dequantize(type, bytes, back);
                results.AddRange(back);
            },
            blocks);
    }

    private static void Tiles(GuardedMemory memory, BlockPanels blocks, float* x, int inputs, byte* packed, int count, List<float> results)
    {
        const int Columns = 2 * PackedMatrix.PanelWidth, TileRows = QuantizedGemm.TileRows;
        int length = TileRows * QuantizedActivations.RowLength(inputs, blocks.GroupLength, blocks.TileTakesWords), expanded = blocks.ExpandedLength(inputs);
        float* panels = memory.Allocate<float>(count * expanded);
        for (int i = 0; i < count; i++)
        {
            blocks.Expand(packed + (i * blocks.PanelBytes(inputs)), 0, inputs, panels + (i * expanded));
        }

        int* tile = memory.Allocate<int>(length);
        for (int rows = 1; rows <= TileRows; rows++)
        {
            QuantizedActivations.PackTiles(
                new MatrixView(x, rows, inputs), 0, rows, 0, inputs, blocks.GroupLength, blocks.TileZero, blocks.TileTakesWords, tile);
            float* sums = memory.Zeros(TileRows * Columns);
            blocks.Tile(tile, rows, inputs, panels, count, sums, default);
            results.AddRange(new Span<float>(sums, rows * Columns));
        }
    }

    private static void RmsNorm(GuardedMemory memory, int count, List<float> results)
    {
        Span<float> y = new(memory.Allocate<float>(count), count);
        RmsNormalization.Forward(new(memory.Random(count, 1), count), new(memory.Random(count, 2), count), Epsilon, y);
        results.AddRange(y);
    }

    private static void RmsNormInPlace(GuardedMemory memory, int count, List<float> results)
    {
        Span<float> x = new(memory.Random(count, 1), count);
        RmsNormalization.Forward(x, [], Epsilon, x);
        results.AddRange(x);
    }

    private static void RmsNormBackward(GuardedMemory memory, int count, List<float> results)
    {
        float* x = memory.Random(count, 1), weight = memory.Random(count, 2), dy = memory.Random(count, 3), dx = memory.Random(count, 4);
        float* dw = memory.Zeros(count), inverse = memory.Allocate<float>(1);
        *inverse = RmsNormalizationBackward.Input(x, weight, Epsilon, dy, dx, count, add: true);
        RmsNormalizationBackward.Weight(x, inverse, dy, dw, 1, count, 0, count);
        results.AddRange(new Span<float>(dx, count));
        results.AddRange(new Span<float>(dw, count));
    }

    private static void Dot(GuardedMemory memory, int count, List<float> results) =>
        results.Add(VirtualLanes.Dot(memory.Random(count, 1), memory.Random(count, 2), memory.Random(count, 3), count));

    private static void CrossEntropyRow(GuardedMemory memory, int count, List<float> results)
    {
        float* logits = memory.Random(count, 1);
        results.Add((float)CrossEntropy.Backward(logits, count, count - 1, 0.5f));
        results.AddRange(new Span<float>(logits, count));
        CrossEntropy.Backward(logits, count, -1, 0.5f);
    }

    private static void Softmax(GuardedMemory memory, int count, List<float> results)
    {
        Span<float> y = new(memory.Allocate<float>(count), count);
        SoftmaxWeights.Forward(new(memory.Random(count, 1), count), 1, 2, y);
        results.AddRange(y);
        results.Add((float)SoftmaxWeights.Sum(y));
    }

    private static void AdamW(GuardedMemory memory, int count, List<float> results)
    {
        float* weight = memory.Random(count, 1), gradient = memory.Random(count, 2), first = memory.Random(count, 3), second = memory.Zeros(count);
        AdamWUpdate update = new() { GradientFactor = 1, Beta1 = 0.9f, Beta2 = 0.95f, Epsilon = Epsilon, Keep = 0.99f, Rate = 0.01f, Root = 2 };
        update.Run(weight, gradient, first, second, count);
        results.AddRange(new Span<float>(weight, count));
        results.AddRange(new Span<float>(second, count));
        results.Add((float)AdamWUpdate.SumOfSquares(gradient, count));
    }

    private static void Average(GuardedMemory memory, int count, List<float> results)
    {
        float* average = memory.Random(count, 1);
        MovingAverage.Run(average, memory.Random(count, 2), 0.25f, count);
        results.AddRange(new Span<float>(average, count));
    }

    private static void AssertGuarded(Kernel kernel, int count)
    {
        List<float> first = [], second = [];
        using (GuardedMemory memory = new(GuardedEnd.Start))
        {
            kernel(memory, count, first);
        }

        using (GuardedMemory memory = new(GuardedEnd.End))
        {
            kernel(memory, count, second);
        }

        Assert.That(second.SequenceEqual(first), $"{count}: other bits at another place in memory");
        Assert.That(first.All(float.IsFinite), $"{count}: found something that is not finite");
    }

    private static float[] Random(int count)
    {
        Random random = new(7);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
    }
}
