using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Training;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Tests.Training;

/// <summary>A device's engine against the processor's: ragged batches, states and their gradients, dropout, averages, and what fails.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class GpuTrainingEngineTests(TestDevice device)
{
    private const double Tolerance = 1e-4;

    private static readonly int[] Lengths = [70, 1, 9, 2];

    private static IEnumerable<MambaConfig> Shapes => TrainingCase.Shapes;

    [Test]
    public void Losses_gradients_and_states_are_those_of_the_processor([ValueSource(nameof(Shapes))] MambaConfig config, [Values(0f, 0.3f)] float rate)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(config, 1);
        using GpuTrainingEngine engine = Engine(model);
        using Mamba.Managed.Training.TrainingPass pass = new(config, 1);
        using Gradients expected = new(model), found = new(model);
        TrainingBatch ours = Batch(), theirs = Batch();
        Dropout dropout = new(rate, 5);
        double truth = pass.Run(model, theirs, expected, divisor: 50, dropout).Sum;
        Assert.That(engine.Run(ours, divisor: 50, dropout).Sum, Is.EqualTo(truth).Within(Tolerance * truth));
        engine.DownloadGradients(found);
        TrainingCase.AssertClose(found.Parameters, expected.Parameters, Tolerance);
        TrainingCase.AssertClose(TrainingCase.Flat(ours.States!), TrainingCase.Flat(theirs.States!), Tolerance);
        TrainingCase.AssertClose(TrainingCase.Flat(ours.StateGradients!), TrainingCase.Flat(theirs.StateGradients!), Tolerance);

        TrainingBatch Batch() => TrainingCase.Batch(config, Lengths) with
        {
            States = TrainingCase.States(config, Lengths.Length, 2),
            StateGradients = TrainingCase.States(config, Lengths.Length, 3),
        };
    }

    [Test]
    public void Batches_add_up_and_the_same_batches_give_the_same_bits_whatever_came_before([ValueSource(nameof(Shapes))] MambaConfig config)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(config, 2);
        using GpuTrainingEngine engine = Engine(model);
        TrainingBatch padded = TrainingCase.Batch(config, 3, 12), full = TrainingCase.Batch(config, 128);
        float[] first = Gradients(padded, full);
        Gradients(full, TrainingCase.Batch(config, 200, 1));
        Assert.That(Gradients(padded, full), Is.EqualTo(first));

        float[] Gradients(params TrainingBatch[] batches)
        {
            using Gradients gradients = new(model);
            engine.ClearGradients();
            double loss = batches.Sum(batch => engine.Run(batch, divisor: 9).Sum);
            engine.DownloadGradients(gradients);
            return [(float)loss, .. TrainingCase.Flat(gradients.Tree)];
        }
    }

    [Test]
    public void Steps_and_averages_are_those_of_the_processor()
    {
        MambaConfig config = TrainingCase.Shapes[1];
        MambaLanguageModel model = MambaLanguageModel.Create(config, 3);
        TrainerOptions options = new() { AverageDecay = 0.9, Optimizer = new() { MaxNorm = 0.5f, WeightDecay = 0.3f }, Threads = 1 };
        using GpuTrainingEngine ours = new(model, options, device.Session, ownsSession: false);
        using CpuTrainingEngine theirs = new(model, options);
        for (int step = 0; step < 3; step++)
        {
            TrainingBatch batch = TrainingCase.Batch(config, 20 + step, 5);
            foreach (ITrainingEngine engine in new ITrainingEngine[] { ours, theirs })
            {
                engine.ClearGradients();
                engine.Run(batch, dropout: new(0.2f, (ulong)step));
            }

            double norm = theirs.Step(1e-2);
            Assert.That(ours.Step(1e-2), Is.EqualTo(norm).Within(Tolerance * norm));
        }

        TrainingBatch last = TrainingCase.Batch(config, 30);
        double plain = theirs.Evaluate(last).Sum, averaged = theirs.Evaluate(last, averaged: true).Sum;
        Assert.That(ours.Evaluate(last).Sum, Is.EqualTo(plain).Within(Tolerance * plain).And.Not.EqualTo(averaged).Within(Tolerance * plain));
        Assert.That(ours.Evaluate(last, averaged: true).Sum, Is.EqualTo(averaged).Within(Tolerance * averaged));
        ours.Download();

        // AdamW divides a gradient by its own size, so that small ones keep their relative error.
        TrainingCase.AssertClose(ours.Model.Parameters(), theirs.Model.Parameters(), 1e-3);
        TrainingCase.AssertClose(ours.Average!.Parameters(), theirs.Average!.Parameters(), 1e-3);
        TrainingCase.AssertClose(ours.FirstMoments.Parameters(), theirs.FirstMoments.Parameters(), 1e-3);
        TrainingCase.AssertClose(ours.SecondMoments.Parameters(), theirs.SecondMoments.Parameters(), 1e-3);
        Assert.That(ours.Steps, Is.EqualTo(3));
    }

    [Test]
    public void A_loss_that_is_not_finite_changes_nothing_and_the_next_batch_is_right()
    {
        MambaConfig config = TrainingCase.Shapes[0];
        MambaLanguageModel model = MambaLanguageModel.Create(config, 4);
        using GpuTrainingEngine engine = Engine(model);
        TrainingBatch plain = TrainingCase.Batch(config, 11);
        double expected = engine.Run(plain).Sum;
        CpuState[] states = TrainingCase.States(config, 1, 5);
        float[] before = TrainingCase.Flat(states), norm = engine.Model.NormF.Weight.ToArray();
        Write(float.NaN);
        Assert.That(Assert.Throws<NonFiniteException>(() => engine.Run(plain with { States = states }))!.Quantity, Is.EqualTo("the loss"));
        Assert.That(TrainingCase.Flat(states), Is.EqualTo(before));
        Write(norm[3]);
        engine.ClearGradients();
        Assert.That(engine.Run(plain).Sum, Is.EqualTo(expected));

        void Write(float value)
        {
            engine.Model.NormF.Weight.CopyFrom([.. norm[..3], value, .. norm[4..]]);
            engine.Upload(0);
        }
    }

    [Test]
    public void A_gradient_that_is_not_finite_changes_nothing_and_is_named()
    {
        MambaConfig config = TrainingCase.Shapes[0];
        using GpuTrainingEngine engine = Engine(MambaLanguageModel.Create(config, 6));
        float[] before = TrainingCase.Flat(engine.Model);
        engine.Run(TrainingCase.Batch(config, 11), divisor: 1e-44);
        Assert.That(() => engine.Step(1e-3), Throws.InstanceOf<NonFiniteException>().With.Message.Contains("the gradient of backbone."));
        engine.Download();
        Assert.That(TrainingCase.Flat(engine.Model), Is.EqualTo(before));
        Assert.That(engine.Steps, Is.Zero);
    }

    [Test]
    public void Too_little_memory_is_said_before_anything_is_changed()
    {
        MambaConfig config = TrainingCase.Shapes[0];
        MambaLanguageModel model = MambaLanguageModel.Create(config, 7);
        GpuDevice found = GpuDevice.Find(device.Selector);
        using GpuSession small = DeviceList.Open(found, memoryLimit: 100_000);
        Assert.That(() => new GpuTrainingEngine(model, new(), small, ownsSession: false), Throws.InstanceOf<GpuException>().With.Message.Contains("expected"));

        using GpuSession enough = DeviceList.Open(found, memoryLimit: 10_000_000);
        using GpuTrainingEngine engine = new(model, new(), enough, ownsSession: false);
        CpuState[] states = TrainingCase.States(config, 1, 8);
        float[] before = TrainingCase.Flat(states);
        Assert.That(() => engine.Run(TrainingCase.Batch(config, 20_000) with { States = states }), Throws.InstanceOf<GpuException>());
        Assert.That(TrainingCase.Flat(states), Is.EqualTo(before));
        Assert.That(engine.Run(TrainingCase.Batch(config, 20)).Sum, Is.Positive);
    }

    [Test]
    public void Wrong_arguments_and_calls_after_disposal_are_refused()
    {
        MambaConfig config = TrainingCase.Shapes[0];
        GpuTrainingEngine engine = Engine(MambaLanguageModel.Create(config, 9));
        TrainingBatch batch = TrainingCase.Batch(config, 5);
        Assert.Multiple(() =>
        {
            Assert.That(() => engine.Run(batch, divisor: -1), Throws.ArgumentException);
            Assert.That(() => engine.Run(batch, dropout: new(1, 0)), Throws.ArgumentException);
            Assert.That(() => engine.Run(new TrainingBatch(new[] { 40 }, new[] { 1 }, new[] { 1 })), Throws.ArgumentException);
            Assert.That(() => engine.Step(double.NaN), Throws.ArgumentException);
        });
        engine.Dispose();
        engine.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(() => engine.Run(batch), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => engine.Step(0), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(engine.Download, Throws.InstanceOf<ObjectDisposedException>());
        });
    }

    private GpuTrainingEngine Engine(MambaLanguageModel model) => new(model, new(), device.Session, ownsSession: false);
}
