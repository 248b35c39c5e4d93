using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Batches, gradients, optimizers and runs that may not fit each other.</summary>
internal static class TrainingFuzz
{
    public static Action<Draw>[] All { get; } = [Passes, Passes, Optimizers, Runs];

    /// <summary>A batch of random lengths, states and targets.</summary>
    public static TrainingBatch Batch(MambaConfig config, Draw draw)
    {
        int vocabulary = Math.Clamp(config.VocabSize, 1, 1 << 16);
        int[] lengths = [.. Enumerable.Range(0, draw.Size(4)).Select(_ => draw.Once(30) ? draw.Integer(3) : draw.Size(70))];
        int rows = (int)Math.Clamp(lengths.Sum(length => (long)length), 0, 4000);
        int[] targets = draw.Tokens(draw.Length(rows), vocabulary);
        if (draw.Once(2) && targets.Length > 0)
        {
            targets[draw.Below(targets.Length)] = TrainingBatch.NoTarget;
        }

        return new(draw.Tokens(draw.Length(rows), vocabulary), targets, lengths)
        {
            States = draw.Once(2) ? null : States(lengths.Length),
            StateGradients = draw.Once(2) ? null : States(lengths.Length),
        };

        List<CpuState> States(int count)
        {
            List<CpuState> states = [.. Enumerable.Range(0, draw.Length(count)).Select(_ => new CpuState(draw.Once(40) ? draw.Config() : config))];
            if (states.Count > 0 && draw.Once(12))
            {
                states[draw.Below(states.Count)] = draw.Once(2) ? null! : states[0];
            }

            if (states.Count > 0 && draw.Once(12))
            {
                states[draw.Below(states.Count)]?.Dispose();
            }

            return states;
        }
    }

    private static void Passes(Draw draw)
    {
        MambaConfig config = draw.Config();
        MambaLanguageModel model = draw.Model(config).CopyToFloat32();
        using TrainingPass pass = new(config, draw.Below(3) + 1);
        using Gradients gradients = new(draw.Once(9) ? draw.Model() : model);
        for (int i = 0; i < 3; i++)
        {
            TrainingBatch batch = FuzzPart.Try(() => Batch(config, draw))!;
            FuzzPart.Try(() => pass.Run(model, batch, draw.Once(40) ? null! : gradients, draw.Once(4) ? draw.Number(3) : 0, draw.Once(4) ? new(draw.Number(0.1f), 1) : default));
            FuzzPart.Try(() => pass.Evaluate(model, batch));
            FuzzPart.Try(gradients.Clear);
            if (draw.Once(12))
            {
                gradients.Dispose();
            }

            if (draw.Once(20))
            {
                pass.Dispose();
            }
        }

        FuzzPart.Try(() => TrainingBatch.OfDocuments([draw.Tokens(3, 5), draw.Once(2) ? null! : draw.Tokens(draw.Below(3), 5)]));
        _ = pass.ByteLength + pass.Threads;
    }

    private static void Optimizers(Draw draw)
    {
        MambaConfig config = draw.Config();
        MambaLanguageModel model = draw.Model(config).CopyToFloat32(), other = draw.Once(2) ? model : model with { NormF = model.NormF with { Weight = draw.Tensor(config.DModel) } };
        using AdamW optimizer = new(model, new() { MaxNorm = draw.Number(1), Beta1 = draw.Number(0.9f), WeightDecay = draw.Number(0.1f) });
        using Gradients gradients = new(draw.Once(4) ? draw.Model() : other);
        for (int i = 0; i < 3; i++)
        {
            FuzzPart.Try(() => gradients.Parameters[draw.Below(gradients.Parameters.Count)].Value.CopyFrom(draw.Floats(gradients.Parameters[0].Value.Count)));
            FuzzPart.Try(() => optimizer.Step(draw.Once(40) ? null! : gradients, draw.Once(5) ? draw.Pick(double.NaN, double.PositiveInfinity, -1, 1e300) : 1e-3));
            if (draw.Once(9))
            {
                draw.Pick<IDisposable>(optimizer, gradients).Dispose();
            }
        }
    }

    private static void Runs(Draw draw)
    {
        MambaConfig config = draw.Config() with { VocabSize = 50 };
        using TokenDocuments documents = TokenDocuments.Of(Enumerable.Range(0, draw.Size(4)).Select(_ => draw.Tokens(draw.Size(40), 50)));
        TrainerOptions options = new()
        {
            Steps = draw.Once(9) ? draw.Integer(2) is var steps && steps > 9 ? 3 : steps : 2,
            Batch = new() { Windows = draw.Size(3), Length = draw.Size(8), CarryState = draw.Once(2), Seed = 3 },
            Accumulate = draw.Once(9) ? draw.Pick(0, -1, 2) : 1,
            Dropout = draw.Once(3) ? draw.Number(0.1f) : 0,
            AverageDecay = draw.Once(3) ? draw.Number(0.9f) : 0,
            ValidationTokens = draw.Once(2) ? draw.Size(10) : draw.Once(9) ? draw.Pick(-1, long.MaxValue) : 0,
            ValidateEvery = draw.Once(2) ? 1 : 0,
            SaveEvery = draw.Once(2) ? 1 : 0,
            KeepLast = draw.Once(9) ? draw.Integer(1) : 1,
            SaveType = draw.Once(5) ? draw.Type() : ElementType.Float32,
            Threads = draw.Below(2) + 1,
        };
        string? folder = draw.Once(3) ? Directory.CreateTempSubdirectory("mamba-fuzz-").FullName : null;
        try
        {
            using Trainer trainer = new(draw.Model(config), documents, options, folder);
            using CancellationTokenSource source = new();
            FuzzPart.Try(() => trainer.Validate());
            FuzzPart.Try(() => trainer.Run(null, draw.Once(5) ? new CancellationToken(true) : source.Token));
            if (draw.Once(4))
            {
                documents.Dispose();
            }

            FuzzPart.Try(() => trainer.Resume());
            FuzzPart.Try(() => trainer.Advance());
            FuzzPart.Try(trainer.Save);
            trainer.Dispose();
            FuzzPart.Try(() => trainer.Advance());
            FuzzPart.Try(trainer.Save);
            FuzzPart.Try(() => trainer.Validate());
        }
        finally
        {
            if (folder is not null)
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }
}
