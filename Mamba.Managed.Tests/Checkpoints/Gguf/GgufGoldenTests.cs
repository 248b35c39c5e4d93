using System.Text.Json;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints.Gguf;

/// <summary>Files that llama.cpp's tools wrote, against values computed in double precision from the dequantized weights.</summary>
public class GgufGoldenTests
{
    public static IEnumerable<string> Files() => GgufFixtures.Roots()
        .SelectMany(root => Directory.EnumerateFiles(root, "*.golden.json", SearchOption.AllDirectories))
        .Where(golden => File.Exists(GgufOf(golden)));

    [TestCaseSource(nameof(Files))]
    public void Types_and_dequantized_values_are_exact(string golden)
    {
        GgufFile file = GgufFile.Open(GgufOf(golden));
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(golden));
        Dictionary<string, string> types = document.RootElement.GetProperty("tensor_types").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!);
        Assert.That(file.Tensors.ToDictionary(p => p.Key, p => GgmlName(p.Value.Type)), Is.EquivalentTo(types));
        foreach (JsonProperty property in document.RootElement.GetProperty("first_8_of_row_1").EnumerateObject())
        {
            float[] expected = [.. property.Value.EnumerateArray().Select(v => (float)v.GetDouble())];
            Tensor tensor = file.Tensors[property.Name];
            int row = tensor.Shape.Length > 1 ? tensor.Shape[^1] : 0;
            float[] values = new float[tensor.Count];
            tensor.CopyTo(values);
            Assert.That(values.Skip(row).Take(expected.Length), Is.EqualTo(expected), property.Name);
        }
    }

    [TestCaseSource(nameof(Files))]
    public void Cost_logits_and_greedy_bytes_are_those_of_float64(string golden)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(golden));
        JsonElement root = document.RootElement;
        using CpuExecutor executor = new(Opened.Model(GgufOf(golden)), 2);
        float[] last = new float[executor.Config.VocabSize];
        double cost = GgufFixtures.NatsPerByte(executor, root.GetProperty("bytes_scored").GetInt32(), last);
        float[] logits = [.. root.GetProperty("logits_last_row").EnumerateArray().Select(v => v.GetSingle())];

        // Products with blocks round activations to 1/254 of a group's largest.
        double tolerance = GgufFile.Open(GgufOf(golden)).Tensors.Values.Any(tensor => tensor.Type.IsQuantized()) ? 1e-2 : 1e-4;
        Assert.Multiple(() =>
        {
            Assert.That(cost, Is.EqualTo(root.GetProperty("nll_nats_per_byte").GetDouble()).Within(0.002));
            Assert.That(last, Is.EqualTo(logits).Within(tolerance * logits.Max(Math.Abs)));
            Assert.That(Greedy(executor, root.GetProperty("greedy_prompt").GetString()!, 64), Is.EqualTo(root.GetProperty("greedy_64_bytes").GetString()));
        });
    }

    private static string Greedy(CpuExecutor executor, string prompt, int count)
    {
        CpuState state = executor.CreateState();
        float[] logits = new float[executor.Config.VocabSize];
        executor.Prefill([.. System.Text.Encoding.UTF8.GetBytes(prompt).Select(b => (int)b)], state, logits);
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++)
        {
            bytes[i] = (byte)System.Numerics.Tensors.TensorPrimitives.IndexOfMax<float>(logits);
            executor.Prefill([bytes[i]], state, logits);
        }

        return System.Text.Encoding.UTF8.GetString(bytes);
    }

    private static string GgufOf(string golden) => golden.Replace(".golden.json", ".gguf", StringComparison.Ordinal);

    private static string GgmlName(ElementType type) => type switch
    {
        ElementType.Float32 => "F32",
        ElementType.Float16 => "F16",
        ElementType.BFloat16 => "BF16",
        _ => type.ToString(),
    };
}
