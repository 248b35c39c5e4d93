using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Training;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>Forward and backward pass of a batch, and whole steps.</summary>
internal static class TrainingSuite
{
    private const int Sequences = 4;
    private const int Length = 1024;

    // What the processor computes again to compare losses with.
    private const int CheckedLength = 32;

    public static IEnumerable<Benchmark> Rows() =>
    [
        new("training-130m-f32-b4-l1024", "training 130m Float32, B 4, L 1024, forward and backward", Unit.TokensPerSecond, bench => Measure(bench, withStep: false))
        {
            Reference = 36.4e3,
            Target = 65e3,
        },
        new("training-step-130m-f32-b4-l1024", "training 130m Float32, B 4, L 1024, with AdamW", Unit.TokensPerSecond, bench => Measure(bench, withStep: true)),
    ];

    private static Measurement Measure(Bench bench, bool withStep)
    {
        MambaConfig config = RandomModel.Config(RandomModel.Small, bench.IsSmall);
        MambaLanguageModel model = RandomModel.Of(config, ElementType.Float32);
        using GpuTrainingEngine engine = new(model, new TrainerOptions(), bench.Session, ownsSession: false);
        double error = Error(engine, model);
        TrainingBatch batch = Batch(config, Sequences, bench.IsSmall ? 16 : Length);
        ModelCost cost = new(config, isBFloat16: false);
        int tokens = batch.Tokens.Length;
        return new()
        {
            Seconds = bench.Time(_ => Advance(engine, batch, withStep)),
            Amount = tokens,
            Bytes = cost.TrainingBytes(tokens),
            Operations = cost.TrainingOperations(tokens),
            Rate = ModelCost.Rate,
            Error = error,
            Bound = 1e-4,
        };
    }

    private static void Advance(GpuTrainingEngine engine, TrainingBatch batch, bool withStep)
    {
        engine.ClearGradients();
        _ = engine.Run(batch);
        if (withStep)
        {
            _ = engine.Step(0);
        }
    }

    private static TrainingBatch Batch(MambaConfig config, int sequences, int length) =>
        TrainingBatch.OfDocuments([.. Enumerable.Range(0, sequences).Select(i => RandomModel.Tokens(config, length + 1, i + 1))]);

    // The loss and the norm over all gradients, against the processor's.
    private static double Error(GpuTrainingEngine engine, MambaLanguageModel model)
    {
        using CpuTrainingEngine processor = new(model, new TrainerOptions());
        TrainingBatch batch = Batch(model.Config, 2, CheckedLength);
        LargestError loss = new(), norm = new();
        engine.ClearGradients();
        loss.Add([processor.Run(batch).Mean], [(float)engine.Run(batch).Mean]);
        norm.Add([processor.Step(0)], [(float)engine.Step(0)]);
        return Math.Max(loss.Relative, norm.Relative);
    }
}
