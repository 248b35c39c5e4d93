using Mamba.Managed.Checkpoints;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>A run of AdamW against one that PyTorch made in double precision.</summary>
public class TrainingGoldenTests
{
    public static IEnumerable<string> Cases() => GoldenFolders.Roots()
        .SelectMany(root => Directory.EnumerateFiles(root, "golden.safetensors", SearchOption.AllDirectories))
        .Where(path =>
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return file.Tensors.ContainsKey("grad_norm_before_clip");
        })
        .Select(path => Path.GetDirectoryName(path)!);

    [TestCaseSource(nameof(Cases))]
    public void Losses_norms_and_final_weights_are_those_of_float64(string folder)
    {
        MambaLanguageModel model = Opened.Model(folder).CopyToFloat32();
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
        Tensor data = golden.Tensors["data"];
        (int steps, int rows, int length) = (data.Shape[0], data.Shape[1], data.Shape[2]);
        using TrainingPass pass = new(model.Config, 2);
        Gradients gradients = new(model);
        AdamW optimizer = new(model, new AdamWOptions { Beta1 = 0.9f, Beta2 = 0.95f, Epsilon = 1e-8f, WeightDecay = 0.1f, MaxNorm = 1 });
        for (int step = 0; step < steps; step++)
        {
            int[][] documents = [.. Enumerable.Range(step * rows, rows).Select(row => data.Integers.Slice(row * length, length).ToArray().Select(id => (int)id).ToArray())];
            gradients.Clear();
            double loss = pass.Run(model, TrainingBatch.OfDocuments(documents), gradients).Mean;
            double norm = optimizer.Step(gradients, golden.Tensors["lr"].Floats[step], pass);
            Assert.That(loss, Is.EqualTo(golden.Tensors["loss"].Floats[step]).Within(1e-4), $"loss of step {step}");
            Assert.That(norm, Is.EqualTo(golden.Tensors["grad_norm_before_clip"].Floats[step]).Within(0.1).Percent, $"norm of step {step}");
        }

        Assert.Multiple(() =>
        {
            foreach ((string name, Tensor found) in Mamba.Managed.Layers.ParameterTrees.Parameters(model))
            {
                float[] truth = golden.Tensors["final." + name].ToArray();
                Assert.That(found.ToArray(), Is.EqualTo(truth).Within(1e-3 * truth.Max(Math.Abs)), name);
            }
        });
    }
}
