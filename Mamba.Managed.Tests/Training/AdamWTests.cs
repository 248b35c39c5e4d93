using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>What AdamW does outside of a golden run: decay, accumulation, and values that are not finite.</summary>
public class AdamWTests
{
    private static readonly MambaConfig Config = new() { DModel = 20, NLayer = 2, VocabSize = 30, InProjBias = true };

    [Test]
    public void Matrices_decay_and_nothing_else()
    {
        string[] still = [.. MambaLanguageModel.Create(Config, 1).Describe().Where(p => !p.Info.Decays).Select(p => p.Path)];
        Assert.That(still.Select(path => path[(path.IndexOf("1.", StringComparison.Ordinal) + 2)..]), Is.SupersetOf(new[]
        {
            "norm.weight", "mixer.in_proj.bias", "mixer.conv1d.bias", "mixer.dt_proj.bias", "mixer.A_log", "mixer.D",
        }));
        Assert.That(still, Has.Length.EqualTo(13));
    }

    [Test]
    public void Batches_accumulate_to_the_step_of_one()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config with { TieEmbeddings = false }, 2);
        MambaLanguageModel one = model.CopyToFloat32(), two = model.CopyToFloat32();
        using TrainingPass pass = new(model.Config, 2);
        int[] a = [1, 2, 3, 4, 5, 6], b = [9, 8, 7, 6];
        Gradients together = new(model), parts = new(model);
        pass.Run(model, TrainingBatch.OfDocuments(a, b), together);
        pass.Run(model, TrainingBatch.OfDocuments(a), parts, divisor: 8);
        pass.Run(model, TrainingBatch.OfDocuments(b), parts, divisor: 8);
        new AdamW(one).Step(together, 1e-2, pass);
        new AdamW(two).Step(parts, 1e-2);
        Assert.That(Flat(two), Is.EqualTo(Flat(one)));
        Assert.That(Flat(two), Is.Not.EqualTo(Flat(model)));
    }

    [TestCase(float.NaN)]
    [TestCase(float.NegativeInfinity)]
    public void A_bad_gradient_is_named_and_changes_nothing(float bad)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 3);
        float[] before = Flat(model);
        Gradients gradients = new(model);
        gradients.Tree.Layers[1].Mixer.D.Floats[3] = bad;
        AdamW optimizer = new(model);
        Assert.That(() => optimizer.Step(gradients, 1e-3), Throws.InstanceOf<NonFiniteException>().With.Message.Contains("backbone.layers.1.mixer.D"));
        Assert.That(optimizer.Steps, Is.Zero);
        Assert.That(Flat(model), Is.EqualTo(before));
    }

    [Test]
    public void A_bad_weight_shows_in_the_loss()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 4);
        model.Layers[0].Mixer.OutProj.Weight.Floats[0] = float.NaN;
        using TrainingPass pass = new(Config, 2);
        Assert.That(() => pass.Run(model, TrainingBatch.OfDocuments([1, 2, 3]), new Gradients(model)), Throws.InstanceOf<NonFiniteException>().With.Message.Contains("loss"));
    }

    [Test]
    public void No_learning_rate_writes_a_weight_that_is_not_finite()
    {
        Random random = new(5);
        for (int run = 0; run < 60; run++)
        {
            MambaConfig config = new()
            {
                DModel = random.Next(1, 20),
                NLayer = random.Next(1, 4),
                VocabSize = random.Next(2, 30),
                DState = random.Next(1, 10),
                MixerNormEpsilon = run % 3 == 0 ? 1e-6f : null,
                TieEmbeddings = run % 2 == 0,
            };
            MambaLanguageModel model = MambaLanguageModel.Create(config, (ulong)run);
            using TrainingPass pass = new(config, 1);
            AdamW optimizer = new(model, new AdamWOptions { MaxNorm = run % 4 == 0 ? 0 : 1 });
            Gradients gradients = new(model);
            double rate = Math.Pow(10, (random.NextDouble() * 10) - 4);
            try
            {
                for (int step = 0; step < 20; step++)
                {
                    int[] tokens = [.. Enumerable.Range(0, random.Next(2, 40)).Select(_ => random.Next(config.VocabSize))];
                    gradients.Clear();
                    pass.Run(model, TrainingBatch.OfDocuments(tokens), gradients);
                    optimizer.Step(gradients, rate);
                }
            }
            catch (NonFiniteException)
            {
                // A run may end so, but only before it has written what it stopped for.
            }

            Assert.That(Flat(model).All(float.IsFinite), Is.True, $"{config}, rate {rate}");
        }
    }

    [Test]
    public void Learning_rates_warm_up_and_follow_half_a_cosine()
    {
        LearningRateSchedule schedule = new LearningRateSchedule(1, 4, 14, 0.2).Validate();
        Assert.Multiple(() =>
        {
            Assert.That(schedule.Rate(0), Is.EqualTo(0.25));
            Assert.That(schedule.Rate(3), Is.EqualTo(1));
            Assert.That(schedule.Rate(4), Is.EqualTo(1));
            Assert.That(schedule.Rate(9), Is.EqualTo(0.6).Within(1e-12));
            Assert.That(schedule.Rate(14), Is.EqualTo(0.2).Within(1e-12));
            Assert.That(schedule.Rate(1000), Is.EqualTo(0.2).Within(1e-12));
            Assert.That(new LearningRateSchedule(3, 2).Rate(1000), Is.EqualTo(3));
        });
    }

    [TestCase(0.0)]
    [TestCase(-1.0)]
    [TestCase(double.NaN)]
    [TestCase(1e9)]
    public void An_impossible_learning_rate_is_refused(double rate)
    {
        Assert.That(() => new LearningRateSchedule(rate).Validate(), Throws.ArgumentException.With.Message.Contains("learning rate"));
        Assert.That(() => new AdamWOptions { Beta1 = (float)Math.Max(1, rate) }.Validate(), Throws.ArgumentException);
    }

    private static float[] Flat(MambaLanguageModel model) => [.. model.Parameters().SelectMany(p => p.Value.ToArray())];
}
