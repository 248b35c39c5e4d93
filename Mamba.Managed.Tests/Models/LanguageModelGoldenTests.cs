using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Models;

/// <summary>Whole models against values that PyTorch computed in double precision.</summary>
public class LanguageModelGoldenTests
{
    // DESIGN promise: float32 stays within this share of the largest value of the float64 truth.
    private const double Tolerance = 1e-4;

    public static IEnumerable<string> Folders()
    {
        IEnumerable<string> roots = [Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures")];
        string? further = Environment.GetEnvironmentVariable("MAMBA_FIXTURES");
        roots = roots.Concat(further?.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries) ?? []);
        return roots
            .SelectMany(root => Directory.EnumerateFiles(root, "golden.safetensors", SearchOption.AllDirectories))
            .Where(HasLogits)
            .Select(golden => Path.GetDirectoryName(golden)!)
            .Where(folder => Directory.EnumerateFiles(folder, "model*.safetensors").Any() && IsMamba1(folder));
    }

    [TestCaseSource(nameof(Folders))]
    public void Logits_states_and_greedy_tokens_are_those_of_float64(string folder)
    {
        MambaLanguageModel model = Opened.Model(folder);
        using CpuExecutor executor = new(model, 2);
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
        Tensor ids = golden.Tensors["input_ids"];
        int rows = ids.Shape[0], length = ids.Shape[1], vocabulary = model.Config.VocabSize;
        float[] logits = new float[rows * length * vocabulary];
        CpuState[] states = new CpuState[rows];
        for (int row = 0; row < rows; row++)
        {
            states[row] = executor.CreateState();
            int[] tokens = [.. ids.Integers.Slice(row * length, length).ToArray().Select(id => (int)id)];
            executor.Prefill(tokens, states[row], logits.AsSpan(row * length * vocabulary, length * vocabulary));
        }

        AssertClose(golden.Tensors["logits"], logits, "logits");
        if (golden.Tensors.ContainsKey("ssm_state.0"))
        {
            AssertStates(golden, model.Config, states);
        }

        if (golden.Tensors.TryGetValue("greedy", out Tensor? greedy))
        {
            Assert.That(Greedy(executor, states[0], logits.AsSpan((length - 1) * vocabulary, vocabulary).ToArray(), greedy.Count), Is.EqualTo(greedy.Integers.ToArray()));
        }
    }

    [TestCaseSource(nameof(Folders))]
    public void Hidden_vectors_after_each_block_are_those_of_float64(string folder)
    {
        MambaLanguageModel model = Opened.Model(folder);
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
        Tensor ids = golden.Tensors["input_ids"];
        int length = ids.Shape[1], width = model.Config.DModel;
        float[] x = new float[ids.Count * width], y = new float[x.Length];
        model.Embeddings.Forward([.. ids.Integers.ToArray().Select(id => (int)id)], Rows.Of(x, width));
        for (int layer = 0; layer < model.Layers.Count && golden.Tensors.TryGetValue($"hidden.{layer}", out Tensor? hidden); layer++)
        {
            for (int at = 0; at < x.Length; at += length * width)
            {
                model.Layers[layer].Forward(
                    Rows.Of(x.AsSpan(at, length * width), width), model.Layers[layer].Mixer.CreateState(), Rows.Of(y.AsSpan(at, length * width), width));
            }

            AssertClose(hidden, y, $"hidden.{layer}");
            (x, y) = (y, x);
        }
    }

    private static long[] Greedy(CpuExecutor executor, CpuState state, float[] logits, int count)
    {
        long[] tokens = new long[count];
        for (int i = 0; i < count; i++)
        {
            tokens[i] = System.Numerics.Tensors.TensorPrimitives.IndexOfMax<float>(logits);
            executor.Prefill([(int)tokens[i]], state, logits);
        }

        return tokens;
    }

    private static void AssertStates(SafetensorsFile golden, MambaConfig config, CpuState[] states)
    {
        for (int layer = 0; layer < config.NLayer; layer++)
        {
            int index = layer;
            AssertClose(golden.Tensors[$"ssm_state.{layer}"], [.. states.SelectMany(s => Transpose(s.Layers[index].SsmRows(), config.DState))], $"ssm_state.{layer}");
            AssertClose(golden.Tensors[$"conv_state.{layer}"], [.. states.SelectMany(s => Transpose(s.Layers[index].ConvState, config.DConv))], $"conv_state.{layer}");
        }
    }

    private static float[] Transpose(Span<float> values, int rows)
    {
        int columns = values.Length / rows;
        float[] turned = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            turned[(i % columns * rows) + (i / columns)] = values[i];
        }

        return turned;
    }

    private static void AssertClose(Tensor expected, float[] found, string name)
    {
        float[] truth = expected.ToArray();
        Assert.That(found, Is.EqualTo(truth).Within(Tolerance * truth.Max(Math.Abs)), name);
    }

    private static bool HasLogits(string golden)
    {
        using SafetensorsFile file = SafetensorsFile.Open(golden);
        return file.Tensors.ContainsKey("logits");
    }

    private static bool IsMamba1(string folder)
    {
        string config = File.ReadAllText(Path.Combine(folder, "config.json"));
        return config.Contains("\"mamba\"", StringComparison.Ordinal) || config.Contains("\"falcon_mamba\"", StringComparison.Ordinal);
    }
}
