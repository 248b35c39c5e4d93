using Mamba.Managed.ILGPU.Training;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Tests.Training;

/// <summary>Whole runs: losses against the processor's, and runs that are stopped and go on, on the same device or another.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class GpuTrainerTests(TestDevice device)
{
    private const int Steps = 6;

    private static readonly MambaConfig Config = new() { DModel = 16, NLayer = 1, VocabSize = 29, DState = 4 };

    private string root = "";

    [SetUp]
    public void MakeFolder() => root = Directory.CreateTempSubdirectory("mamba-gpu-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(root, recursive: true);

    [Test]
    public void A_run_has_the_losses_of_the_processor([Values] bool carry)
    {
        using Trainer ours = New(null, carry), theirs = New(null, carry, onDevice: false);
        for (int step = 0; step < Steps; step++)
        {
            TrainingReport found = ours.Advance(), expected = theirs.Advance();
            Assert.That(found.Loss, Is.EqualTo(expected.Loss).Within(1e-4 * expected.Loss));
            Assert.That(found.GradientNorm, Is.EqualTo(expected.GradientNorm).Within(1e-3 * expected.GradientNorm));
        }

        Assert.That(ours.Validate(), Is.EqualTo(theirs.Validate()).Within(1e-4));
    }

    [Test]
    public void A_run_that_was_stopped_goes_on_to_the_same_bits([Values] bool carry)
    {
        using (Trainer whole = New("whole", carry))
        {
            whole.Run();
        }

        // Stopped after a step behind its last checkpoint, as a killed process is.
        using (Trainer stopped = New("stopped", carry))
        {
            for (int step = 0; step < 5; step++)
            {
                stopped.Advance();
            }
        }

        using (Trainer resumed = New("stopped", carry))
        {
            Assert.That(resumed.Resume(), Is.Empty);
            Assert.That(resumed.Step, Is.EqualTo(4));
            resumed.Run();
        }

        foreach (string file in Directory.GetFiles(Path.Combine(root, "whole"), "*", SearchOption.AllDirectories))
        {
            string other = file.Replace("whole", "stopped", StringComparison.Ordinal);
            Assert.That(File.ReadAllBytes(other).AsSpan().SequenceEqual(File.ReadAllBytes(file)), Is.True, file);
        }
    }

    [Test]
    public void A_run_goes_on_on_another_device([Values] bool beginsOnDevice)
    {
        using (Trainer begun = New("run", carry: true, beginsOnDevice))
        {
            for (int step = 0; step < 4; step++)
            {
                begun.Advance();
            }
        }

        using Trainer resumed = New("run", carry: true, !beginsOnDevice), straight = New(null, carry: true, onDevice: false);
        resumed.Resume();
        resumed.Run();
        straight.Run();
        Assert.That(resumed.Validate(), Is.EqualTo(straight.Validate()).Within(1e-3));
        TrainingCase.AssertClose(TrainingCase.Flat(resumed.Model), TrainingCase.Flat(straight.Model), 1e-2);
    }

    private Trainer New(string? run, bool carry, bool onDevice = true)
    {
        Random random = new(1);
        TokenDocuments documents = TokenDocuments.Of([.. Enumerable.Range(0, 4).Select(_ => Enumerable.Range(0, 90).Select(_ => random.Next(Config.VocabSize)).ToArray())]);
        TrainerOptions options = new()
        {
            Steps = Steps,
            Schedule = new(1e-2, 2, Steps),
            Batch = new() { Windows = 2, Length = 20, CarryState = carry, Seed = 3 },
            Accumulate = 2,
            Dropout = 0.1f,
            AverageDecay = 0.9,
            ValidationTokens = 40,
            SaveEvery = 2,
            Threads = 1,
        };
        TrainingEngineFactory? engine = onDevice ? (model, recipe) => new GpuTrainingEngine(model, recipe, device.Session, ownsSession: false) : null;
        return new Trainer(MambaLanguageModel.Create(Config, 1), documents, options, run is null ? null : Path.Combine(root, run), engine);
    }
}
