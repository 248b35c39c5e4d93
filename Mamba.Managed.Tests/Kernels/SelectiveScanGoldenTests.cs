using Mamba.Managed.Checkpoints;
using Mamba.Managed.Kernels;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tests.Training;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>Every form of the scan against values that PyTorch computed in double precision, initial and last state included.</summary>
public class SelectiveScanGoldenTests
{
    private const double Tolerance = 1e-4;

    private delegate float[] Form(SelectiveScanArguments<float> arguments, float[] lastState);

    public static IEnumerable<string> Cases() => GoldenFolders.Roots()
        .SelectMany(root => Directory.EnumerateFiles(root, "*.safetensors", SearchOption.AllDirectories))
        .Where(path =>
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return file.Tensors.ContainsKey("delta") && file.Tensors.ContainsKey("last_state");
        });

    [TestCaseSource(nameof(Cases))]
    public void Definition(string path) => Check(path, Reference);

    [TestCaseSource(nameof(Cases))]
    public void Portable_form(string path) => Check(path, (arguments, last) => SelectiveScanPortable.Forward(arguments, last));

    [TestCaseSource(nameof(Cases))]
    public void Fused_form(string path) => Check(path, Fused);

    [Test]
    public void The_portable_form_gives_the_same_bits_at_any_number_of_threads([Values(1, 255, 700)] int channels)
    {
        SelectiveScanArguments<float> arguments = Arguments(channels, 5, 40);
        float[] one = new float[channels * 5], many = new float[one.Length];
        Assert.That(SelectiveScanPortable.Forward(arguments, many, 3), Is.EqualTo(SelectiveScanPortable.Forward(arguments, one, 1)));
        Assert.That(many, Is.EqualTo(one));
    }

    [Test]
    public void All_forms_agree_where_steps_are_huge_or_nothing_decays()
    {
        SelectiveScanArguments<float> arguments = Arguments(48, 16, 33);
        arguments.Dt[0] = 1000;
        arguments.Dt[50] = -1000;
        arguments.A[3] = -1e-30f;
        arguments.A[20] = 0;
        float[][] states = [new float[48 * 16], new float[48 * 16], new float[48 * 16]];
        float[] expected = Reference(arguments, states[0]), portable = SelectiveScanPortable.Forward(arguments, states[1]), fused = Fused(arguments, states[2]);
        Assert.That(portable, Is.EqualTo(expected).Within(1e-5 * expected.Max(Math.Abs)));
        Assert.That(fused, Is.EqualTo(expected).Within(1e-5 * expected.Max(Math.Abs)));
        Assert.That(states[2], Is.EqualTo(states[0]).Within(1e-5 * states[0].Max(Math.Abs)));
    }

    [Test]
    public void The_fused_form_gives_the_bits_of_single_rows_however_long_a_step([Values(1, 100, 1000, float.NaN)] float longest)
    {
        const int Channels = 48, States = 16, Length = 100;
        SelectiveScanArguments<float> all = Arguments(Channels, States, Length);
        all.Dt[(50 * Channels) + 20] = longest;
        float[] last = new float[Channels * States], state = all.State;
        float[] together = Fused(all, last);
        for (int row = 0; row < Length; row++)
        {
            float[] next = new float[state.Length];
            SelectiveScanArguments<float> one = all with
            {
                U = Row(all.U), Dt = Row(all.Dt), B = Row(all.B), C = Row(all.C), Z = Row(all.Z), State = state,
            };
            Assert.That(Fused(one, next), Is.EqualTo(Row(together)), $"row {row}");
            state = next;

            float[] Row(float[] rows) => rows[(row * rows.Length / Length)..((row + 1) * rows.Length / Length)];
        }

        Assert.That(last, Is.EqualTo(state));
    }

    [Test]
    public void A_number_that_is_none_spreads_over_its_channel_alone()
    {
        SelectiveScanArguments<float> arguments = Arguments(20, 4, 12);
        arguments.U[(5 * 20) + 7] = float.NaN;
        foreach (Form form in (Form[])[Reference, (inputs, last) => SelectiveScanPortable.Forward(inputs, last), Fused])
        {
            float[] last = new float[80];
            float[] y = form(arguments, last);
            for (int i = 0; i < y.Length; i++)
            {
                Assert.That(float.IsNaN(y[i]), Is.EqualTo(i % 20 == 7 && i / 20 >= 5), $"row {i / 20}, channel {i % 20}");
            }

            Assert.That(last[28..32], Is.All.NaN);
        }
    }

    private static void Check(string path, Form form)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Tensor u = file.Tensors["u"], a = file.Tensors["A"];
        int batch = u.Shape[0], channels = a.Shape[0], states = a.Shape[1];
        List<float> found = [], lasts = [];
        for (int row = 0; row < batch; row++)
        {
            float[] initial = Part("h0", row), last = new float[channels * states];
            found.AddRange(form(
                new(
                    channels, states, file.Metadata["delta_softplus"] == "true", Part("u", row), Part("delta", row), Part("A", row), Part("B", row),
                    Part("C", row), Part("D", row), Part("z", row), Part("delta_bias", row), initial.Length > 0 ? initial : new float[channels * states]),
                last));
            lasts.AddRange(last);
        }

        AssertClose(file.Tensors["y"], found, "y");
        AssertClose(file.Tensors["last_state"], lasts, "last_state");

        float[] Part(string name, int row)
        {
            if (!file.Tensors.TryGetValue(name, out Tensor? tensor))
            {
                return [];
            }

            int rows = name is "A" or "D" or "delta_bias" ? 1 : batch;
            int size = tensor.Count / rows;
            return tensor.Floats.Slice(row % rows * size, size).ToArray();
        }
    }

    private static void AssertClose(Tensor golden, List<float> found, string name)
    {
        float[] truth = golden.ToArray();
        Assert.That(found, Is.EqualTo(truth).Within(Tolerance * truth.Max(Math.Abs)), name);
    }

    private static float[] Reference(SelectiveScanArguments<float> x, float[] lastState) => SelectiveScanReference.Forward<float>(x, lastState);

    private static unsafe float[] Fused(SelectiveScanArguments<float> x, float[] lastState)
    {
        float[] y = new float[x.U.Length];
        float[] state = ScanHarness.ToPanels(x.State, x.Channels, x.States);
        float[] decay = ScanHarness.ToPanels([.. x.A.Select(a => a * Elementary.Log2E)], x.Channels, x.States);
        fixed (float* u = x.U, dt = x.Dt, a = decay, b = x.B, c = x.C, d = x.D, z = x.Z, bias = x.Bias, h = state, output = y)
        {
            SelectiveScan scan = new()
            {
                U = u, Dt = dt, DtPitch = x.Channels, Bias = bias, Softplus = x.Softplus, Decay = a, B = b, C = c, Pitch = x.States,
                D = d, Z = z, ZPitch = x.Channels, State = h, Y = output, Length = x.U.Length / x.Channels, Channels = x.Channels, States = x.States,
            };
            scan.Forward(0, x.Channels);
        }

        ScanHarness.FromPanels(state, x.Channels, x.States).CopyTo(lastState, 0);
        return y;
    }

    private static SelectiveScanArguments<float> Arguments(int channels, int states, int length)
    {
        Random random = new(channels);
        float[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
        return new(
            channels, states, true, Draw(length * channels), Draw(length * channels), [.. Draw(channels * states).Select(v => -8 * Math.Abs(v))],
            Draw(length * states), Draw(length * states), Draw(channels), Draw(length * channels), Draw(channels), Draw(channels * states));
    }
}
