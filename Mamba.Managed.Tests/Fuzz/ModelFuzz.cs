using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Execution;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Whole models: put together of parts that may not fit, and used in every way; those that are whole give the same bits in every way.</summary>
internal static class ModelFuzz
{
    private static readonly Action<MambaLanguageModel, Draw>[] Uses = [Run, Run, Forward, TakeOver, Train, Train, Describe, Convert, Study];

    public static Action<Draw>[] All { get; } = [Changed, Changed, Changed, Whole, Whole, Passes];

    private static void Changed(Draw draw)
    {
        MambaLanguageModel model = draw.Model();
        for (int i = draw.Below(3); i >= 0; i--)
        {
            model = FuzzPart.Try(() => Changed(model, draw)) ?? model;
        }

        for (int i = 0; i < 2; i++)
        {
            FuzzPart.Try(() => Uses[draw.Below(Uses.Length)](model, draw));
        }
    }

    private static MambaLanguageModel Changed(MambaLanguageModel model, Draw draw) => draw.Below(9) switch
    {
        0 => model.Map("", draw.Map(10)),
        1 => model with { Config = draw.Once(20) ? null! : draw.Changed(model.Config) },
        2 => model with { NormF = draw.Once(20) ? null! : new RmsNorm(draw.Tensor(model.Config.DModel), draw.Number(1e-5f)) },
        3 => model with { Vocabulary = draw.Once(20) ? null! : new Shared(new(draw.Tensor(model.Config.VocabSize, model.Config.DModel)), model.Head) },
        4 => model with { Vocabulary = model.Vocabulary with { Head = new(draw.Tensor(model.Config.VocabSize, model.Config.DModel)) } },
        5 => model with { Layers = draw.Once(20) ? null! : LayerFuzz.Changed(model.Layers, draw) },
        6 => new(draw.Changed(model.Config), model.Vocabulary, LayerFuzz.Changed(model.Layers, draw), model.NormF),
        7 => MambaLanguageModel.FromTensors(model.Config, model.Parameters().Where(_ => !draw.Once(30)).ToDictionary(p => p.Key, p => draw.Once(20) ? draw.Tensor(p.Value.Shape.ToArray()) : p.Value)),
        _ => model,
    };

    // What Validate refuses, everything refuses: a call that reads beyond a tensor may well seem to succeed.
    private static void RequireWhole(MambaLanguageModel model) =>
        FuzzPart.Require(FuzzPart.Try(model.Validate), "a refusal of a model that does not fit its configuration");

    private static void Run(MambaLanguageModel model, Draw draw)
    {
        using CpuExecutor executor = new(model, draw.Below(4));
        RequireWhole(model);
        Calls(executor, draw);
    }

    private static void TakeOver(MambaLanguageModel model, Draw draw)
    {
        using CpuExecutor executor = CpuExecutor.TakeOver(model, draw.Integer(1) is int threads && threads > 8 && threads <= 1024 ? 2 : threads);
        RequireWhole(model);
        Calls(executor, draw);
        FuzzPart.Try(() => model.Layers[0].Norm.Forward(draw.Rows(1, model.Config.DModel), draw.Rows(1, model.Config.DModel)));
    }

    private static void Calls(CpuExecutor executor, Draw draw)
    {
        int vocabulary = executor.Config.VocabSize;
        SequenceState[] states = [.. Enumerable.Range(0, 3).Select(_ => executor.CreateState())];
        for (int i = 0; i < 4; i++)
        {
            int length = draw.Once(9) ? draw.Size(700) : draw.Size();
            int[] tokens = draw.Tokens(length, vocabulary);
            FuzzPart.Try(() => executor.Prefill(tokens, states[draw.Below(3)], draw.Room(draw.Length(draw.Once(2) ? vocabulary : length * vocabulary))));
            FuzzPart.Try(() => executor.Step(draw.Tokens(draw.Length(3), vocabulary), states, draw.Room(draw.Length(3 * vocabulary))));
            int[] lengths = [draw.Integer(1), draw.Integer(2), draw.Integer(3)];
            FuzzPart.Try(() => executor.Forward(draw.Tokens(6, vocabulary), lengths, states, draw.Room(draw.Length(3 * vocabulary))));
            SequenceInput[] batch = [.. states.Select(state => new SequenceInput(state, draw.Integer(2), (LogitRows)draw.Below(draw.Once(9) ? 5 : 3)))];
            FuzzPart.Try(() => executor.Run(draw.Tokens(draw.Length(6), vocabulary), batch, draw.Room(draw.Length(batch.Sum(input => Math.Clamp(input.LogitCount, 0, 9)) * vocabulary))));
            int spoilt = draw.Below(3);
            states[spoilt] = draw.Below(12) switch { 0 => null!, 1 => states[0], 2 => new CpuState(draw.Config()), _ => states[spoilt] };
            if (draw.Once(12))
            {
                states[spoilt]?.Dispose();
            }
        }

        if (draw.Once(4))
        {
            executor.Dispose();
            FuzzPart.Try(() => executor.Step(draw.Tokens(3, vocabulary), states, new float[3 * vocabulary]));
            FuzzPart.Try(() => executor.CreateState());
            _ = executor.StepBytes + executor.Threads + executor.PromptChunk;
        }
    }

    private static void Forward(MambaLanguageModel model, Draw draw)
    {
        using CpuState state = new(draw.Once(5) ? draw.Changed(model.Config) : model.Config);
        int length = draw.Size(70), vocabulary = model.Config.VocabSize;
        model.Forward(draw.Tokens(length, vocabulary), state, draw.Room(draw.Length(draw.Once(2) ? vocabulary : vocabulary * length)));
        RequireWhole(model);
    }

    private static void Train(MambaLanguageModel model, Draw draw)
    {
        using TrainingPass pass = new(draw.Once(9) ? draw.Changed(model.Config) : model.Config, draw.Below(3) + 1);
        TrainingBatch batch = TrainingFuzz.Batch(model.Config, draw);
        if (FuzzPart.Try(() => pass.Evaluate(model, batch)))
        {
            RequireWhole(model);
        }

        using Gradients gradients = new(model);
        FuzzPart.Try(() => pass.Run(model, batch, gradients, draw.Once(4) ? draw.Number(3) : 0, draw.Once(4) ? new(draw.Number(0.1f), 1) : default));
        RequireWhole(model);
        using AdamW optimizer = new(model);
        optimizer.Step(gradients, draw.Number(1e-3f), draw.Once(2) ? pass : null);
    }

    private static void Describe(MambaLanguageModel model, Draw draw)
    {
        _ = model.ToString();
        FuzzPart.Try(() => model.Validate());
        FuzzPart.Try(() => _ = ModelFingerprint.Of(model));
        FuzzPart.Try(() => _ = model.CopyToFloat32());
        FuzzPart.Try(() => _ = model.HeadWeight);
        FuzzPart.Try(() => _ = model.Parameters(draw.Path()));
        _ = model.GetHashCode();
        if (draw.Once(8))
        {
            string folder = Directory.CreateTempSubdirectory("mamba-fuzz-").FullName;
            FuzzPart.Try(() => Checkpoint.Save(folder, model));
            FuzzPart.Try(() => ModelSource.Open(folder).Dispose());
            Directory.Delete(folder, recursive: true);
        }

        model.DisposeParameters();
        FuzzPart.Try(() => Run(model, draw));
    }

    private static void Convert(MambaLanguageModel model, Draw draw)
    {
        MambaLanguageModel converted = draw.Once(2) ? model.ConvertTo(draw.Type(), draw.Integer(1) is > 0 and < 4 ? 1 : -1) : model.ConvertTo(draw.Pick(Enum.GetValues<GgufFileType>()), 1);
        Run(converted, draw);
    }

    private static void Study(MambaLanguageModel model, Draw draw)
    {
        if (draw.Once(6))
        {
            using QuantizationStudy study = new(model, draw.Tokens(draw.Size(30), model.Config.VocabSize), draw.Integer(8), 1);
            QuantizationReport report = study.Run([ElementType.Float16, draw.Type()]);
            QuantizationChoice choice = report.Recommend(draw.Number(0.01f));
            study.Measure(choice.Types);
        }

        using CpuExecutor executor = new(model, 1);
        Likelihood.Measure(executor, draw.Tokens(draw.Size(200), model.Config.VocabSize), draw.Integer(20));
    }

    // Logits and states do not depend on threads, chunks or company.
    private static void Whole(Draw draw)
    {
        MambaConfig config = draw.Config();
        MambaLanguageModel model = draw.Model(config);
        model = draw.Once(3) ? FuzzPart.Try(() => model.ConvertTo(draw.Type(), 1)) ?? model : model;
        using CpuExecutor one = new(model, 1), many = new(model, draw.Below(4) + 1);
        int[] tokens = [.. draw.Tokens(draw.Size(100), config.VocabSize).Select(token => Math.Clamp(token, 0, config.VocabSize - 1))];
        using CpuState expected = one.CreateState(), found = many.CreateState(), other = many.CreateState();
        float[] logits = new float[config.VocabSize], again = new float[config.VocabSize], both = new float[2 * config.VocabSize];
        one.Prefill(tokens, expected, logits);
        int cut = draw.Below(tokens.Length);
        if (cut > 0)
        {
            many.Forward([.. tokens[..cut], 0], [cut, 1], [found, other], both);
        }

        many.Prefill(tokens.AsSpan(cut), found, again);
        FuzzPart.RequireSame(logits, again, "logits");
        FuzzPart.RequireSame(Exported(expected), Exported(found), "state");
        FuzzPart.Require(expected.Position == found.Position && found.Position == tokens.Length, "the position");
    }

    // Losses, gradients and weights do not depend on threads.
    private static void Passes(Draw draw)
    {
        MambaConfig config = draw.Config() with { VocabSize = draw.Size(70) + 1 };
        int[][] documents = [.. Enumerable.Range(0, draw.Size(3)).Select(_ => Enumerable.Range(0, draw.Size(80) + 1).Select(_ => draw.Below(config.VocabSize)).ToArray())];
        TrainingBatch batch = TrainingBatch.OfDocuments(documents);
        float[][] results = [.. new[] { 1, draw.Below(4) + 1 }.Select(Trained)];
        FuzzPart.RequireSame(results[0], results[1], "weights after a step");

        float[] Trained(int threads)
        {
            MambaLanguageModel model = MambaLanguageModel.Create(config, 3).CopyToFloat32();
            using TrainingPass pass = new(config, threads);
            using Gradients gradients = new(model);
            using AdamW optimizer = new(model);
            TrainingLoss loss = pass.Run(model, batch, gradients);
            optimizer.Step(gradients, 1e-3, pass);
            return [(float)loss.Sum, .. model.Parameters().SelectMany(parameter => parameter.Value.ToArray())];
        }
    }

    private static float[] Exported(CpuState state)
    {
        float[] values = new float[state.Layout.Length(state.Position)];
        state.Export(values);
        return values;
    }
}
