using BenchmarkDotNet.Attributes;
using Mamba.Managed.Generation;
using Mamba.Managed.Kernels;

namespace Mamba.Managed.Benchmarks;

/// <summary>Kernels over one row, on one thread: norms of d_model entries, softmax and its gradient over a vocabulary, AdamW over more than a cache holds.</summary>
/// <remarks>Work counts an exponential, a root and a division as one operation; rows stay in a cache, so bytes are no limit but for AdamW.</remarks>
public unsafe class VectorSuite : ISuite
{
    private const float Epsilon = 1e-5f;

    private readonly Memory memory = new();
    private float* x;
    private float* y;
    private float* first;
    private float* second;

    /// <summary>Which of the kernels.</summary>
    [Params("norm", "norm backward", "softmax", "cross entropy", "adamw")]
    public string Kernel { get; set; } = "";

    /// <summary>The model's size, or a ragged one.</summary>
    [Params(true, false)]
    public bool IsModelSize { get; set; }

    private int Count => !IsModelSize ? 1001 : Kernel switch
    {
        "norm" or "norm backward" => 768,
        "softmax" or "cross entropy" => 50280,
        _ => 1 << 23,
    };

    /// <inheritdoc/>
    public Work Work
    {
        get
        {
            (int flops, int arrays) = Kernel switch
            {
                "norm" => (4, 2),
                "norm backward" => (9, 3),
                "softmax" => (3, 2),
                "cross entropy" => (5, 2),
                _ => (15, 7),
            };
            return new((double)flops * Count, (double)arrays * sizeof(float) * Count, Kernel == "adamw" && IsModelSize, 1);
        }
    }

    /// <summary>Makes the arrays.</summary>
    [GlobalSetup]
    public void Setup()
    {
        x = memory.Floats(Count);
        y = memory.Floats(Count);
        first = memory.Floats(Count);
        second = memory.Floats(Count);
    }

    /// <summary>Frees the arrays.</summary>
    [GlobalCleanup]
    public void Cleanup() => memory.Dispose();

    /// <summary>Runs the kernel.</summary>
    [Benchmark]
    public void Run()
    {
        Span<float> input = new(x, Count), output = new(y, Count);
        switch (Kernel)
        {
            case "norm":
                RmsNormalization.Forward(input, new(first, Count), Epsilon, output);
                break;
            case "norm backward":
                RmsNormalizationBackward.Input(x, first, Epsilon, second, y, Count, add: false);
                break;
            case "softmax":
                SoftmaxWeights.Forward(input, 1, 1, output);
                break;
            case "cross entropy":
                CrossEntropy.Backward(x, Count, 7, 1);
                break;
            default:
                new AdamWUpdate { GradientFactor = 1, Beta1 = 0.9f, Beta2 = 0.99f, Epsilon = 1e-8f, Keep = 0.999f, Rate = 1e-3f, Root = 1 }.Run(x, y, first, second, Count);
                break;
        }
    }
}

/// <summary>Choosing a token from the logits of a vocabulary.</summary>
public class SamplerSuite : ISuite
{
    private readonly float[] logits = new float[Vocabulary];
    private readonly SamplerScratch scratch = new(Vocabulary);
    private Sampler? sampler;
    private SplitMix64 random = new(1);

    /// <summary>How the token is chosen.</summary>
    [Params("greedy", "temperature", "top-k 40", "top-p 0.95, min-p 0.05")]
    public string Options { get; set; } = "";

    private static int Vocabulary => 50280;

    /// <inheritdoc/>
    public Work Work => new(3.0 * Vocabulary, (double)sizeof(float) * Vocabulary, IsStreaming: false, 1);

    /// <summary>Draws logits.</summary>
    [GlobalSetup]
    public void Setup()
    {
        Random numbers = new(1);
        for (int i = 0; i < logits.Length; i++)
        {
            logits[i] = 10 * numbers.NextSingle();
        }

        sampler = new(
            Options switch
            {
                "greedy" => new() { Temperature = 0 },
                "temperature" => new() { Seed = 1 },
                "top-k 40" => new() { TopK = 40, Seed = 1 },
                _ => new() { TopP = 0.95f, MinP = 0.05f, Seed = 1 },
            },
            Vocabulary);
    }

    /// <summary>Chooses.</summary>
    [Benchmark]
    public int Sample() => sampler!.Sample(logits, ref random, scratch);
}
