using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Execution;

/// <summary>Whole models against values that PyTorch computed in double precision.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class ModelGoldenTests(TestDevice device)
{
    // Float32 stays within this share of the largest value of the float64 truth.
    private const double Tolerance = 1e-4;

    [Test]
    public void Logits_states_and_greedy_tokens_are_those_of_float64(
        [Values("mamba1-tiny", "mamba1-odd", "mamba1-one-token", "mamba1-tiny-bf16-sharded", "mamba1-tiny-f16-sharded", "falcon-mamba-tiny")] string name)
    {
        string folder = GoldenFile.FolderOf(name);
        GoldenFile golden = new(Path.Combine(folder, "golden.safetensors"));
        using ModelSource source = ModelSource.Open(folder);
        using GpuExecutor executor = GpuExecutor.Create(source.Model, device.Session, new() { Precision = GpuPrecision.Float32, MaxRows = 256 });
        CheckPrompts(executor, golden);
    }

    [Test]
    public void The_original_layout_gives_the_same_values()
    {
        using ModelSource source = ModelSource.Open(GoldenFile.FolderOf("mamba1-tiny-original"));
        using GpuExecutor executor = GpuExecutor.Create(source.Model, device.Session, new() { MaxRows = 256 });
        CheckPrompts(executor, new(Path.Combine(GoldenFile.FolderOf("mamba1-tiny"), "golden.safetensors")));
    }

    [Test]
    public void In_bfloat16_logits_are_near_those_of_float64([Values("mamba1-tiny", "mamba1-tiny-bf16-sharded")] string name)
    {
        string folder = GoldenFile.FolderOf(name);
        GoldenFile golden = new(Path.Combine(folder, "golden.safetensors"));
        using ModelSource source = ModelSource.Open(folder);
        using GpuExecutor executor = GpuExecutor.Create(source.Model, device.Session, new() { Precision = GpuPrecision.BFloat16, MaxRows = 256 });
        using GpuState state = executor.CreateState();
        int[] tokens = golden.Ids("input_ids")[0];
        float[] logits = new float[tokens.Length * executor.Config.VocabSize];
        executor.Prefill(tokens, state, logits);
        AssertClose(golden.Floats("logits")[..logits.Length], logits, 3e-2, "logits");
    }

    private static void CheckPrompts(GpuExecutor executor, GoldenFile golden)
    {
        int[][] prompts = golden.Ids("input_ids");
        int vocabulary = executor.Config.VocabSize, row = prompts[0].Length * vocabulary;
        float[] logits = new float[prompts.Length * row];
        GpuState[] states = [.. prompts.Select(_ => executor.CreateState())];
        for (int i = 0; i < prompts.Length; i++)
        {
            executor.Prefill(prompts[i], states[i], logits.AsSpan(i * row, row));
        }

        AssertClose(golden.Floats("logits"), logits, Tolerance, "logits");
        if (golden.Has("ssm_state.0"))
        {
            CheckStates(golden, executor.Config, states);
        }

        if (golden.Has("greedy"))
        {
            int[] expected = golden.Ids("greedy")[0];
            Assert.That(Greedy(executor, states[0], logits.AsSpan(row - vocabulary, vocabulary).ToArray(), expected.Length), Is.EqualTo(expected));
        }
    }

    private static void CheckStates(GoldenFile golden, MambaConfig config, GpuState[] states)
    {
        int conv = config.DConv * config.DInner, scan = config.DInner * config.DState;
        float[][] exported = [.. states.Select(Exported)];
        for (int layer = 0; layer < config.NLayer; layer++)
        {
            int start = layer * (conv + scan);
            AssertClose(golden.Floats($"conv_state.{layer}"), [.. exported.SelectMany(state => ChannelsFirst(state.AsSpan(start, conv), config.DConv))], Tolerance, $"conv_state.{layer}");
            AssertClose(golden.Floats($"ssm_state.{layer}"), [.. exported.SelectMany(state => state.Skip(start + conv).Take(scan))], Tolerance, $"ssm_state.{layer}");
        }
    }

    private static float[] Exported(GpuState state)
    {
        float[] values = new float[state.Layout.Length(state.Position)];
        state.Export(values);
        return values;
    }

    private static float[] ChannelsFirst(ReadOnlySpan<float> convState, int taps)
    {
        int channels = convState.Length / taps;
        float[] turned = new float[convState.Length];
        for (int i = 0; i < turned.Length; i++)
        {
            turned[i] = convState[(i % taps * channels) + (i / taps)];
        }

        return turned;
    }

    private static int[] Greedy(GpuExecutor executor, GpuState state, float[] logits, int count)
    {
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++)
        {
            tokens[i] = Array.IndexOf(logits, logits.Max());
            executor.Prefill([tokens[i]], state, logits);
        }

        return tokens;
    }

    private static void AssertClose(float[] expected, float[] found, double tolerance, string name) =>
        Assert.That(found, Is.EqualTo(expected).Within(tolerance * expected.Max(Math.Abs)), name);
}
