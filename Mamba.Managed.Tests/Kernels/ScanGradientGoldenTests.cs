using Mamba.Managed.Checkpoints;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tests.Training;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>The scan's gradients, by definition and by vectors, against values that PyTorch computed in double precision.</summary>
public class ScanGradientGoldenTests
{
    private const double Tolerance = 1e-4;

    public static IEnumerable<string> Cases() => GoldenFolders.Roots()
        .SelectMany(root => Directory.EnumerateFiles(root, "*.safetensors", SearchOption.AllDirectories))
        .Where(path =>
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return file.Tensors.ContainsKey("grad.delta") && file.Tensors.ContainsKey("grad_last_state");
        });

    [TestCaseSource(nameof(Cases))]
    public void Definition_gives_the_gradients_of_float64(string path) => Check(
        path, (inputs, dy, dlast) => SelectiveScanGradientReference.Backward<double>(inputs, dy, dlast));

    [TestCaseSource(nameof(Cases))]
    public void Vector_form_gives_the_gradients_of_float64(string path) => Check(path, (inputs, dy, dlast) => ScanHarness.Backward(inputs, dy, dlast));

    private static void Check(string path, Func<SelectiveScanArguments<double>, double[], double[], SelectiveScanArguments<double>> backward)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Tensor u = file.Tensors["u"], a = file.Tensors["A"];
        int batch = u.Shape[0], channels = a.Shape[0], states = a.Shape[1];
        Dictionary<string, List<double>> found = [];
        for (int row = 0; row < batch; row++)
        {
            double[] initial = Part("h0", row);
            SelectiveScanArguments<double> inputs = new(
                channels, states, file.Metadata["delta_softplus"] == "true", Part("u", row), Part("delta", row), Part("A", row), Part("B", row),
                Part("C", row), Part("D", row), Part("z", row), Part("delta_bias", row), initial.Length > 0 ? initial : new double[channels * states]);
            SelectiveScanArguments<double> gradients = backward(inputs, Part("grad_y", row), Part("grad_last_state", row));
            foreach ((string name, double[] values) in new[]
                {
                    ("u", gradients.U), ("delta", gradients.Dt), ("A", gradients.A), ("B", gradients.B), ("C", gradients.C), ("D", gradients.D),
                    ("z", gradients.Z), ("delta_bias", gradients.Bias), ("h0", gradients.State),
                })
            {
                found.TryAdd(name, []);
                bool shared = name is "A" or "D" or "delta_bias";
                if (shared && row > 0)
                {
                    found[name] = [.. found[name].Zip(values, (x, y) => x + y)];
                }
                else
                {
                    found[name].AddRange(values);
                }
            }
        }

        int compared = 0;
        foreach ((string name, List<double> values) in found)
        {
            if (file.Tensors.TryGetValue("grad." + name, out Tensor? golden))
            {
                double[] truth = [.. golden.ToArray()];
                Assert.That(values, Is.EqualTo(truth).Within(Tolerance * truth.Max(Math.Abs)), name);
                compared++;
            }
        }

        Assert.That(compared, Is.EqualTo(file.Tensors.Keys.Count(name => name.StartsWith("grad.", StringComparison.Ordinal))));

        double[] Part(string name, int row)
        {
            if (!file.Tensors.TryGetValue(name, out Tensor? tensor))
            {
                return [];
            }

            int rows = name is "A" or "D" or "delta_bias" ? 1 : batch;
            int size = tensor.Count / rows;
            return [.. tensor.Floats.Slice(row % rows * size, size).ToArray()];
        }
    }
}
