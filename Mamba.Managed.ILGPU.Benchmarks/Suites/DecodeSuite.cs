using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Decode;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>Steps of one token a sequence: on the device alone, and through the executor with logits brought to the host each time.</summary>
internal static class DecodeSuite
{
    private const int CheckedSteps = 3;

    public static IEnumerable<Benchmark> Rows() =>
    [
        OnDevice(RandomModel.Small, ElementType.Float32, 1, 1251, 3600),
        OnDevice(RandomModel.Small, ElementType.Float32, 32, 20749, 36000),
        OnDevice(RandomModel.Small, ElementType.BFloat16, 1, 1294, 5000),
        OnDevice(RandomModel.Small, ElementType.BFloat16, 32, 37567, 50000),
        ThroughExecutor(RandomModel.Small, ElementType.Float32, 1),
        ThroughExecutor(RandomModel.Small, ElementType.Float32, 32),
        OnDevice(RandomModel.Large, ElementType.Float32, 1, 354, 600),
        OnDevice(RandomModel.Large, ElementType.BFloat16, 1, 426, 1000),
        OnDevice(RandomModel.Small, ElementType.Float32, 1, 450, 8 * 450) with
        {
            Name = "decode-130m-f32-b1-jax", Work = "decode 130m Float32, B 1, against the example's own form (JAX, scan over time, jitted)",
        },
    ];

    public static string Short(ElementType type) => type == ElementType.Float32 ? "f32" : "bf16";

    private static Benchmark OnDevice(string model, ElementType type, int sequences, double reference, double target) =>
        new(FormattableString.Invariant($"decode-{model}-{Short(type)}-b{sequences}"), FormattableString.Invariant($"decode {model} {type}, B {sequences}"), Unit.TokensPerSecond,
            bench => MeasureOnDevice(bench, RandomModel.Config(model, bench.IsSmall), type, sequences))
        {
            Reference = reference,
            Target = target,
        };

    private static Benchmark ThroughExecutor(string model, ElementType type, int sequences) =>
        new(FormattableString.Invariant($"executor-{model}-{Short(type)}-b{sequences}"),
            FormattableString.Invariant($"decode {model} {type}, B {sequences}, through the executor, logits to the host"), Unit.TokensPerSecond,
            bench => MeasureThroughExecutor(bench, RandomModel.Config(model, bench.IsSmall), type, sequences));

    private static Measurement MeasureOnDevice(Bench bench, MambaConfig config, ElementType type, int sequences)
    {
        GpuSession session = bench.Session;
        MambaLanguageModel model = RandomModel.Of(config, type);
        using DeviceWeights weights = WeightUpload.Run(session, model, type == ElementType.BFloat16);
        using StatePool pool = new(session, weights.Shape.StateLength);
        using StepPass step = new(session, weights, pool, sequences);
        using DeviceMemory memory = new(session);
        ArrayView<float> logits = memory.Take<float>((long)sequences * weights.Shape.LogitPitch);
        int[] slots = [.. Enumerable.Range(0, sequences).Select(_ => pool.Take())], tokens = RandomModel.Tokens(config, sequences);
        int[][] fed = [.. Enumerable.Range(0, CheckedSteps).Select(i => RandomModel.Tokens(config, sequences, 10 + i))];
        foreach (int[] next in fed)
        {
            logits.MemSet(session.Stream, 0xFF);
            step.Run(next, slots, logits);
        }

        float[] found = new float[logits.Length];
        logits.CopyToCPU(session.Stream, found);
        double error = Error(model, fed, [0, sequences - 1], sequence => found.AsSpan(sequence * weights.Shape.LogitPitch, config.VocabSize).ToArray());
        step.Run(tokens, slots, logits);
        return Result(bench.Time(_ => Greedy(session, step, weights.Shape, sequences, logits)), config, type, sequences, error);
    }

    // The likeliest token becomes the next one on the device, so that the host only launches. Other devices have no kernel for it and go on with the same tokens.
    private static void Greedy(GpuSession session, StepPass step, ModelShape shape, int sequences, ArrayView<float> logits)
    {
        if (session.IsFast)
        {
            step.TakeLikeliest(sequences, shape, logits);
        }

        step.Advance(sequences, logits);
    }

    private static Measurement MeasureThroughExecutor(Bench bench, MambaConfig config, ElementType type, int sequences)
    {
        MambaLanguageModel model = RandomModel.Of(config, type);
        using GpuExecutor executor = GpuExecutor.Create(model, bench.Session, new());
        using StateSet set = new(executor, sequences);
        SequenceState[] states = set.All;
        float[] logits = new float[sequences * config.VocabSize];
        int[] tokens = RandomModel.Tokens(config, sequences);
        int[][] fed = [.. Enumerable.Range(0, CheckedSteps).Select(i => RandomModel.Tokens(config, sequences, 10 + i))];
        foreach (int[] next in fed)
        {
            executor.Step(next, states, logits);
        }

        double error = Error(model, fed, [0, sequences - 1], sequence => logits.AsSpan(sequence * config.VocabSize, config.VocabSize).ToArray());
        return Result(bench.Time(_ => executor.Step(tokens, states, logits), static () => { }), config, type, sequences, error);
    }

    private static Measurement Result(double[] seconds, MambaConfig config, ElementType type, int sequences, double error)
    {
        ModelCost cost = new(config, type == ElementType.BFloat16);
        return new()
        {
            Seconds = seconds,
            Amount = sequences,
            Bytes = cost.StepBytes(sequences),
            Operations = cost.StepOperations(sequences),
            Rate = ModelCost.Rate,
            Error = error,
            Bound = type == ElementType.BFloat16 ? 5e-2 : 1e-4,
        };
    }

    /// <summary>The error of the last step's logits against the processor's.</summary>
    private static double Error(MambaLanguageModel model, int[][] fed, int[] sequences, Func<int, float[]> found)
    {
        using CpuExecutor processor = new(model);
        LargestError error = new();
        foreach (int sequence in sequences.Distinct())
        {
            using SequenceState state = processor.CreateState();
            float[] expected = new float[model.Config.VocabSize];
            processor.Prefill([.. fed.Select(tokens => tokens[sequence])], state, expected);
            error.Add([.. expected.Select(x => (double)x)], found(sequence));
        }

        return error.Relative;
    }
}
