using BenchmarkDotNet.Attributes;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Benchmarks;

/// <summary>Whole models with random weights: 512 tokens of a prompt, and one token of generation.</summary>
public class ModelSuites : ISuite
{
    private const int PromptLength = 512;

    private readonly int[] tokens = [.. Enumerable.Range(0, PromptLength).Select(i => i % 250)];
    private CpuExecutor? executor;
    private CpuState? state;
    private float[] logits = [];

    /// <summary>d_model x layers x vocabulary.</summary>
    [Params("128x3x256", "768x24x50280")]
    public string Shape { get; set; } = "";

    /// <summary>Tokens of one call.</summary>
    [Params(1, PromptLength)]
    public int Tokens { get; set; }

    /// <summary>Threads that compute.</summary>
    [Params(1, 2)]
    public int Threads { get; set; }

    /// <inheritdoc/>
    public Work Work
    {
        get
        {
            MambaConfig config = Config();
            double head = (double)config.VocabSize * config.DModel;
            double body = config.ParameterCount - head;
            return new(2 * ((body * Tokens) + head), sizeof(float) * (body + head), Tokens == 1, Threads);
        }
    }

    /// <summary>Makes the model.</summary>
    [GlobalSetup]
    public void Setup()
    {
        executor = new CpuExecutor(MambaLanguageModel.Create(Config(), 1), Threads);
        state = executor.CreateState();
        logits = new float[executor.Config.VocabSize];
    }

    /// <summary>Ends the threads.</summary>
    [GlobalCleanup]
    public void Cleanup() => executor?.Dispose();

    /// <summary>Feeds the tokens.</summary>
    [Benchmark]
    public void Forward() => executor!.Prefill(tokens.AsSpan(0, Tokens), state!, logits);

    private MambaConfig Config()
    {
        string[] sizes = Shape.Split('x');
        int[] values = [.. sizes.Select(size => int.Parse(size, System.Globalization.CultureInfo.InvariantCulture))];
        return new() { DModel = values[0], NLayer = values[1], VocabSize = values[2] };
    }
}
