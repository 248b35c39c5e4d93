using Mamba.Managed.Checkpoints;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>The scan's definition against values that PyTorch computed in double precision.</summary>
public class SelectiveScanGoldenTests
{
    private const double Tolerance = 1e-4;

    public static IEnumerable<string> Cases() => Directory.EnumerateFiles(
        Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "selective-scan"), "*.safetensors", SearchOption.AllDirectories);

    [TestCaseSource(nameof(Cases))]
    public void Output_and_last_state_are_those_of_float64(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Tensor u = file.Tensors["u"], a = file.Tensors["A"], y = file.Tensors["y"];
        int batch = u.Shape[0], channels = a.Shape[0], states = a.Shape[1];
        float[] found = new float[u.Count];
        float[] last = Part("h0", 0, 1).Length == 0 ? new float[batch * channels * states] : Part("h0", 0, 1).ToArray();
        for (int row = 0; row < batch; row++)
        {
            SelectiveScanReference.Forward(
                Part("u", row, batch), Part("delta", row, batch), a.Floats, Part("B", row, batch), Part("C", row, batch), Part("D", 0, 1),
                Part("z", row, batch), Part("delta_bias", 0, 1), file.Metadata["delta_softplus"] == "true",
                last.AsSpan(row * channels * states, channels * states), found.AsSpan(row * y.Count / batch, y.Count / batch), channels, states);
        }

        Assert.That(found, Is.EqualTo(y.Floats.ToArray()).Within(Tolerance * y.Floats.ToArray().Max(Math.Abs)));
        float[] state = file.Tensors["last_state"].Floats.ToArray();
        Assert.That(last, Is.EqualTo(state).Within(Tolerance * state.Max(Math.Abs)));

        ReadOnlySpan<float> Part(string name, int row, int rows) =>
            file.Tensors.TryGetValue(name, out Tensor? tensor) ? tensor.Floats.Slice(row * tensor.Count / rows, tensor.Count / rows) : [];
    }
}
