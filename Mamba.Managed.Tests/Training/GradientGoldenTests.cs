using Mamba.Managed.Checkpoints;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>Loss and every gradient of whole models against values that PyTorch computed in double precision.</summary>
public class GradientGoldenTests
{
    private const double Tolerance = 1e-4;

    public static IEnumerable<string> Cases() => GoldenFolders.Roots()
        .SelectMany(root => Directory.EnumerateFiles(root, "golden.safetensors", SearchOption.AllDirectories))
        .Where(path =>
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            string config = Path.Combine(Path.GetDirectoryName(path)!, "config.json");
            return file.Tensors.ContainsKey("grad.backbone.embeddings.weight") && File.Exists(config) && !File.ReadAllText(config).Contains("\"mamba2\"", StringComparison.Ordinal);
        })
        .Select(path => Path.GetDirectoryName(path)!);

    [TestCaseSource(nameof(Cases))]
    public void Loss_and_gradients_are_those_of_float64(string folder)
    {
        MambaLanguageModel model = Opened.Model(folder).CopyToFloat32();
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
        Tensor ids = golden.Tensors["input_ids"];
        int length = ids.Shape[1];
        int[][] rows = [.. Enumerable.Range(0, ids.Shape[0]).Select(row => ids.Integers.Slice(row * length, length).ToArray().Select(id => (int)id).ToArray())];
        using TrainingPass pass = new(model.Config, 2);
        Gradients gradients = new(model);
        TrainingLoss loss = pass.Run(model, TrainingBatch.OfDocuments(rows), gradients);
        double expected = golden.Tensors["loss"].Floats[0];
        Assert.That(loss.Mean, Is.EqualTo(expected).Within(Tolerance * expected));
        Assert.Multiple(() =>
        {
            foreach ((string name, Tensor found) in gradients.Parameters)
            {
                float[] truth = golden.Tensors["grad." + name].ToArray();
                Assert.That(found.ToArray(), Is.EqualTo(truth).Within(Tolerance * truth.Max(Math.Abs)), name);
            }
        });
        Assert.That(golden.Tensors.Keys.Count(name => name.StartsWith("grad.", StringComparison.Ordinal)), Is.EqualTo(gradients.Parameters.Count));
    }
}
