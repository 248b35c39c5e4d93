using Mamba.Managed.Checkpoints;
using Mamba.Managed.ILGPU.Training;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Tests.Training;

/// <summary>Losses, gradients and runs of AdamW against what PyTorch computed in double precision.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class TrainingGoldenTests(TestDevice device)
{
    private const double Tolerance = 1e-4;

    [Test]
    public void Loss_and_gradients_are_those_of_float64([Values("mamba1-tiny", "mamba1-odd", "falcon-mamba-tiny")] string name)
    {
        GoldenFile golden = new(Path.Combine(GoldenFile.FolderOf(name), "golden.safetensors"));
        using ModelSource source = ModelSource.Open(GoldenFile.FolderOf(name));
        using GpuTrainingEngine engine = new(source.Model, new(), device.Session, ownsSession: false);
        TrainingLoss loss = engine.Run(TrainingBatch.OfDocuments(golden.Ids("input_ids")));
        double expected = golden.Floats("loss")[0];
        Assert.That(loss.Mean, Is.EqualTo(expected).Within(Tolerance * expected));
        using Gradients found = new(source.Model);
        engine.DownloadGradients(found);
        Assert.Multiple(() =>
        {
            foreach ((string path, Tensor gradient) in found.Parameters)
            {
                float[] truth = golden.Floats("grad." + path);
                Assert.That(gradient.ToArray(), Is.EqualTo(truth).Within(Tolerance * truth.Max(Math.Abs)), path);
            }
        });
    }

    [Test]
    public void Losses_norms_and_final_weights_of_a_run_are_those_of_float64()
    {
        string folder = GoldenFile.FolderOf("training-tiny");
        GoldenFile golden = new(Path.Combine(folder, "golden.safetensors"));
        int rows = golden.Shape("data")[1];
        int[][][] batches = [.. golden.Ids("data").Chunk(rows)];
        TrainerOptions options = new() { Optimizer = new() { Beta1 = 0.9f, Beta2 = 0.95f, Epsilon = 1e-8f, WeightDecay = 0.1f, MaxNorm = 1 } };
        using ModelSource source = ModelSource.Open(folder);
        using GpuTrainingEngine engine = new(source.Model, options, device.Session, ownsSession: false);
        for (int step = 0; step < batches.Length; step++)
        {
            engine.ClearGradients();
            double loss = engine.Run(TrainingBatch.OfDocuments(batches[step])).Mean;
            double norm = engine.Step(golden.Floats("lr")[step]);
            Assert.That(loss, Is.EqualTo(golden.Floats("loss")[step]).Within(1e-4), $"loss of step {step}");
            Assert.That(norm, Is.EqualTo(golden.Floats("grad_norm_before_clip")[step]).Within(0.1).Percent, $"norm of step {step}");
        }

        engine.Download();
        Assert.Multiple(() =>
        {
            foreach ((string path, Tensor found) in engine.Model.Parameters())
            {
                float[] truth = golden.Floats("final." + path);
                Assert.That(found.ToArray(), Is.EqualTo(truth).Within(1e-3 * truth.Max(Math.Abs)), path);
            }
        });
    }
}
