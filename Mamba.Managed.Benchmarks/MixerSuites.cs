using BenchmarkDotNet.Attributes;
using Mamba.Managed.Kernels;

namespace Mamba.Managed.Benchmarks;

/// <summary>Convolution and selective scan of one sequence, forward and backward, on one thread: the 130m shape, one token, and a ragged size.</summary>
/// <remarks>
/// Work is what the equations ask for, an exponential counted as one operation: 7 a state and token forward, 22 backward; 2 a tap and 5 for
/// SiLU in the convolution, three times that backward.
/// </remarks>
public unsafe class MixerSuite : ISuite
{
    private const int States = 16;
    private const int Width = 4;
    private const float Small = 0.01f;

    private readonly Memory memory = new();
    private SelectiveScan scan;
    private SelectiveScanBackward scanBackward;
    private CausalConvolutionBackward convolutionBackward;
    private float* x;
    private float* weight;
    private float* bias;
    private float* window;
    private float* y;
    private float* lanes;

    /// <summary>Which of the kernels.</summary>
    [Params("scan", "scan backward", "convolution", "convolution backward")]
    public string Kernel { get; set; } = "";

    /// <summary>Tokens x channels.</summary>
    [Params("512x1536", "1x1536", "37x101")]
    public string Size { get; set; } = "";

    /// <inheritdoc/>
    public Work Work
    {
        get
        {
            int[] sizes = Memory.Sizes(Size);
            double entries = (double)sizes[0] * sizes[1];
            (double flops, int arrays) = Kernel switch
            {
                "scan" => (7.0 * States, 4),
                "scan backward" => (22.0 * States, 9),
                "convolution" => ((2.0 * Width) + 5, 2),
                _ => (3 * ((2.0 * Width) + 5), 4),
            };
            return new(flops * entries, sizeof(float) * arrays * entries, IsStreaming: false, 1);
        }
    }

    /// <summary>Makes the arrays.</summary>
    [GlobalSetup]
    public void Setup()
    {
        int[] sizes = Memory.Sizes(Size);
        (int length, int channels) = (sizes[0], sizes[1]);
        int entries = length * channels, chunks = (length + SelectiveScanBackward.ChunkLength - 1) / SelectiveScanBackward.ChunkLength;
        int blocks = SelectiveScanBackward.Blocks(channels);
        float* decay = memory.Floats(States * channels), fastest = memory.Floats(channels);
        for (int i = 0; i < States * channels; i++)
        {
            decay[i] = -1 - Math.Abs(decay[i]);
        }

        // No decay is beyond -2.
        new Span<float>(fastest, channels).Fill(2);
        x = memory.Floats(entries);
        y = memory.Floats(entries);
        weight = memory.Floats(Width * channels);
        window = memory.Floats(Width * channels);
        bias = memory.Floats(channels);
        lanes = memory.Floats(SelectiveScanBackward.LanesLength(States));
        scan = new()
        {
            U = x, Dt = memory.Floats(entries), DtPitch = channels, Bias = bias, Softplus = true, Decay = decay, MaxDecay = fastest,
            B = memory.Floats(length * States), C = memory.Floats(length * States), Pitch = States, D = memory.Floats(channels),
            Z = memory.Floats(entries), ZPitch = channels, State = memory.Floats(States * channels), Y = y, Length = length, Channels = channels, States = States,
        };
        scanBackward = new()
        {
            U = x, Dt = scan.Dt, Bias = bias, Softplus = true, Decay = decay, B = scan.B, C = scan.C, Pitch = States, D = scan.D, Z = scan.Z, ZPitch = channels,
            InitialState = null, Checkpoints = memory.Floats(chunks * States * channels), OutputGradient = memory.Floats(entries), Y = y,
            UGradient = memory.Floats(entries), DtGradient = memory.Floats(entries), ZGradient = memory.Floats(entries),
            BCGradient = memory.Floats(blocks * length * 2 * States), BlockPitch = length * 2 * States, StateGradient = memory.Floats(States * channels),
            AGradient = memory.Floats(States * channels), DGradient = memory.Floats(channels), BiasGradient = memory.Floats(channels),
            Length = length, Channels = channels, States = States,
        };
        convolutionBackward = new()
        {
            X = x, XGradient = scanBackward.UGradient, Pitch = channels, Weight = weight, Bias = bias, Window = window, ConvStateGradient = null,
            OutputGradient = scanBackward.OutputGradient, WeightGradient = memory.Floats(Width * channels), BiasGradient = memory.Floats(channels),
            Length = length, Channels = channels, Width = Width,
        };
    }

    /// <summary>Frees the arrays.</summary>
    [GlobalCleanup]
    public void Cleanup() => memory.Dispose();

    /// <summary>Runs the kernel over all channels.</summary>
    [Benchmark]
    public void Run()
    {
        int channels = scan.Channels;
        switch (Kernel)
        {
            case "scan":
                scan.Forward(0, channels);
                break;
            case "scan backward":
                // Gradients of the state are handed back and forth; without this they would grow from call to call.
                new Span<float>(scanBackward.StateGradient, States * channels).Fill(Small);
                scanBackward.Run(0, SelectiveScanBackward.Blocks(channels), lanes);
                break;
            case "convolution":
                CausalConvolution.Forward(x, channels, weight, bias, window, y, scan.Length, channels, Width, true, 0, channels);
                break;
            default:
                // The kernel overwrites the gradient of its output.
                new Span<float>(convolutionBackward.OutputGradient, scan.Length * channels).Fill(Small);
                convolutionBackward.Run(0, channels);
                break;
        }
    }
}
