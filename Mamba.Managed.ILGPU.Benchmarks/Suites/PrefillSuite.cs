using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>Prompts in one pass through the executor, with the last token's logits brought to the host.</summary>
internal static class PrefillSuite
{
    // What the processor computes again to compare with.
    private const int CheckedTokens = 64;

    public static IEnumerable<Benchmark> Rows() =>
    [
        Row(ElementType.Float32, 1, 512, 75.7e3, 150e3),
        Row(ElementType.Float32, 1, 2048, 127e3, 220e3),
        Row(ElementType.Float32, 8, 2048, 143e3, 260e3),
        Row(ElementType.BFloat16, 1, 512, 69e3, 200e3),
        Row(ElementType.BFloat16, 1, 2048, 302e3, 450e3),
        Row(ElementType.BFloat16, 8, 2048, 373e3, 600e3),
        Row(ElementType.Float32, 1, 512, 2783, 50 * 2783) with
        {
            Name = "prefill-130m-f32-b1-l512-jax", Work = "prefill 130m Float32, B 1, L 512, against the example's own form (JAX, scan over time, jitted)",
        },
    ];

    private static Benchmark Row(ElementType type, int sequences, int length, double reference, double target) =>
        new(FormattableString.Invariant($"prefill-130m-{DecodeSuite.Short(type)}-b{sequences}-l{length}"), FormattableString.Invariant($"prefill 130m {type}, B {sequences}, L {length}"),
            Unit.TokensPerSecond, bench => Measure(bench, RandomModel.Config(RandomModel.Small, bench.IsSmall), type, sequences, bench.IsSmall ? 20 : length))
        {
            Reference = reference,
            Target = target,
        };

    private static Measurement Measure(Bench bench, MambaConfig config, ElementType type, int sequences, int length)
    {
        MambaLanguageModel model = RandomModel.Of(config, type);
        using GpuExecutor executor = GpuExecutor.Create(model, bench.Session, new() { MaxRows = sequences * length });
        double error = Error(executor, model);
        using StateSet states = new(executor, sequences);
        SequenceInput[] batch = [.. states.All.Select(state => new SequenceInput(state, length, LogitRows.Last))];
        float[] logits = new float[sequences * config.VocabSize];
        int[] tokens = RandomModel.Tokens(config, sequences * length);
        ModelCost cost = new(config, type == ElementType.BFloat16);
        return new()
        {
            Seconds = bench.Time(_ => executor.Run(tokens, batch, logits), static () => { }),
            Amount = tokens.Length,
            Bytes = cost.PassBytes(tokens.Length, sequences),
            Operations = cost.PassOperations(tokens.Length, sequences),
            Rate = ModelCost.Rate,
            Error = error,
            Bound = type == ElementType.BFloat16 ? 5e-2 : 1e-4,
        };
    }

    // All logits of a shorter prompt, against the processor's.
    private static double Error(GpuExecutor executor, MambaLanguageModel model)
    {
        int[] tokens = RandomModel.Tokens(model.Config, Math.Min(CheckedTokens, executor.MaxRows), 9);
        float[] found = new float[tokens.Length * model.Config.VocabSize], expected = new float[found.Length];
        using CpuExecutor processor = new(model);
        using SequenceState state = executor.CreateState(), reference = processor.CreateState();
        executor.Prefill(tokens, state, found);
        processor.Prefill(tokens, reference, expected);
        LargestError error = new();
        error.Add([.. expected.Select(x => (double)x)], found);
        return error.Relative;
    }
}
