using System.Text;
using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU.Execution;

namespace Mamba.Managed.ILGPU.Tests.Execution;

/// <summary>A real model of Shakespeare's bytes, in half precision and in block formats, against values computed in double precision from its weights.</summary>
[TestFixtureSource(typeof(ByteModelGoldenTests), nameof(Devices))]
public class ByteModelGoldenTests(TestDevice device)
{
    /// <summary>Not the emulation, on which these prompts take minutes.</summary>
    public static IEnumerable<TestDevice> Devices => TestDevices.All.Where(device => device.Name != "cpu");

    [Test]
    public void Cost_logits_and_greedy_bytes_of_block_formats([Values("Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M")] string type)
    {
        string gguf = GoldenFile.FolderOf("gguf");
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(gguf, $"shakespeare-{type}.golden.json")));
        JsonElement golden = document.RootElement;
        using ModelSource source = ModelSource.Open(Path.Combine(gguf, $"shakespeare-{type}.gguf"));
        using GpuExecutor executor = GpuExecutor.Create(source.Model, device.Session, new() { MaxRows = 1024 });
        float[] last = new float[executor.Config.VocabSize];
        double cost = NatsPerByte(executor, File.ReadAllBytes(Path.Combine(gguf, "validation.txt")), golden.GetProperty("bytes_scored").GetInt32(), last);
        float[] logits = [.. golden.GetProperty("logits_last_row").EnumerateArray().Select(v => v.GetSingle())];
        Assert.Multiple(() =>
        {
            Assert.That(cost, Is.EqualTo(golden.GetProperty("nll_nats_per_byte").GetDouble()).Within(1e-4));
            Assert.That(last, Is.EqualTo(logits).Within(1e-4 * logits.Max(Math.Abs)));
            Assert.That(Greedy(executor, golden.GetProperty("greedy_prompt").GetString()!, 64), Is.EqualTo(golden.GetProperty("greedy_64_bytes").GetString()));
        });
    }

    [Test]
    public void Cost_and_greedy_bytes_of_half_precision()
    {
        string folder = GoldenFile.FolderOf("shakespeare-bytes");
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "golden.json")));
        JsonElement golden = document.RootElement;
        using ModelSource source = ModelSource.Open(folder);
        using GpuExecutor executor = GpuExecutor.Create(source.Model, device.Session, new() { MaxRows = 2048 });
        byte[] text = File.ReadAllBytes(Path.Combine(folder, "validation.txt"));
        double cost = NatsPerByte(executor, text, text.Length - 1, new float[executor.Config.VocabSize]);
        Assert.That(cost, Is.EqualTo(golden.GetProperty("nll_nats_per_byte_first_2048_val_bytes_one_window").GetDouble()).Within(1e-4));
        Assert.That(Greedy(executor, golden.GetProperty("greedy_prompt").GetString()!, 120), Is.EqualTo(golden.GetProperty("greedy_120_bytes").GetString()));
    }

    // The first byte is context only.
    private static double NatsPerByte(GpuExecutor executor, byte[] text, int scored, float[] last)
    {
        int vocabulary = executor.Config.VocabSize;
        float[] logits = new float[scored * vocabulary];
        using GpuState state = executor.CreateState();
        executor.Prefill([.. text.Take(scored).Select(b => (int)b)], state, logits);
        logits.AsSpan(^vocabulary..).CopyTo(last);
        return Enumerable.Range(0, scored).Average(i =>
        {
            float[] row = logits.AsSpan(i * vocabulary, vocabulary).ToArray();
            return Math.Log(row.Sum(value => Math.Exp(value))) - row[text[i + 1]];
        });
    }

    private static string Greedy(GpuExecutor executor, string prompt, int count)
    {
        using GpuState state = executor.CreateState();
        float[] logits = new float[executor.Config.VocabSize];
        executor.Prefill([.. Encoding.UTF8.GetBytes(prompt).Select(b => (int)b)], state, logits);
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++)
        {
            bytes[i] = (byte)Array.IndexOf(logits, logits.Max());
            executor.Prefill([bytes[i]], state, logits);
        }

        return Encoding.UTF8.GetString(bytes);
    }
}
