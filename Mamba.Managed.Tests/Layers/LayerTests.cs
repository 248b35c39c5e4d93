using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Layers;

/// <summary>Layers on their own: every length, wrong buffers, special values, and the tree that they form.</summary>
public class LayerTests
{
    [Test]
    public void Convolution_is_right_at_every_length_and_carries_its_window([Values(1, 2, 4, 7)] int width)
    {
        const int Channels = 19;
        CausalConv1d layer = new(Tensor.FromFloats(Random(Channels * width, 1), Channels, 1, width), Tensor.FromFloats(Random(Channels, 2), Channels));
        float[] x = Random(Channels * 256, 3), window = new float[width * Channels], whole = new float[x.Length];
        layer.Forward(x, window, whole);
        for (int t = 0; t < 256; t++)
        {
            for (int c = 0; c < Channels; c++)
            {
                float sum = layer.Bias!.Floats[c];
                for (int j = 0; j < width; j++)
                {
                    int at = t - width + 1 + j;
                    sum = MathF.FusedMultiplyAdd(layer.Weight.Floats[(c * width) + j], at < 0 ? 0 : x[(at * Channels) + c], sum);
                }

                Assert.That(whole[(t * Channels) + c], Is.EqualTo(sum), $"row {t}, channel {c}");
            }
        }

        for (int cut = 0; cut <= 256; cut++)
        {
            float[] memory = new float[width * Channels], parts = new float[x.Length];
            layer.Forward(x.AsSpan(0, cut * Channels), memory, parts.AsSpan(0, cut * Channels));
            layer.Forward(x.AsSpan(cut * Channels), memory, parts.AsSpan(cut * Channels));
            Assert.That(parts.AsSpan().SequenceEqual(whole), $"cut at {cut}");
            Assert.That(memory.AsSpan().SequenceEqual(window), $"cut at {cut}");
        }
    }

    [Test]
    public void Linear_is_right_at_every_length_of_input_and_output()
    {
        for (int n = 1; n <= 256; n++)
        {
            float[] x = Random(2 * n, n), weight = Random(n * (257 - n), n + 1), y = new float[2 * (257 - n)];
            new Linear(Tensor.FromFloats(weight, 257 - n, n)).Forward(x, y);
            for (int i = 0; i < y.Length; i++)
            {
                float sum = 0;
                for (int k = 0; k < n; k++)
                {
                    sum = MathF.FusedMultiplyAdd(x[(i / (257 - n) * n) + k], weight[(i % (257 - n) * n) + k], sum);
                }

                Assert.That(y[i], Is.EqualTo(sum), $"{n} inputs, output {i}");
            }
        }
    }

    [Test]
    public void Empty_sequences_pass_through_every_layer()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(new() { DModel = 8, NLayer = 1, VocabSize = 5 }, 1);
        CpuState state = new(model.Config);
        model.Forward([], state, []);
        model.Layers.Forward([], state.Layers, []);
        model.Layers[0].Mixer.Conv1d.Forward([], state.Layers[0].ConvState, []);
        Assert.That(state.Position, Is.Zero);
        Assert.That(state.Layers[0].SsmState.ToArray(), Is.All.Zero);
    }

    [Test]
    public void A_short_or_long_destination_is_named()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(new() { DModel = 8, NLayer = 1, VocabSize = 5 }, 1);
        ResidualBlock block = model.Layers[0];
        float[] x = new float[16];
        foreach (int length in new[] { 0, 15, 17 })
        {
            float[] y = new float[length];
            Assert.That(() => block.Norm.Forward(x, y), Throws.ArgumentException.With.Property("ParamName").EqualTo("y"));
            Assert.That(() => block.Forward(x, block.Mixer.CreateState(), y), Throws.ArgumentException);
            Assert.That(() => block.Mixer.Forward(x, block.Mixer.CreateState(), y), Throws.ArgumentException);
            Assert.That(() => block.Mixer.OutProj.Forward(x, y), Throws.ArgumentException);
            Assert.That(() => model.Embeddings.Forward([1, 2], y), Throws.ArgumentException);
            Assert.That(() => model.Layers.Forward(x, [block.Mixer.CreateState()], y), Throws.ArgumentException);
        }

        Assert.That(() => block.Mixer.Conv1d.Forward(x, new float[3], x), Throws.ArgumentException);
        Assert.That(() => model.Embeddings.Forward([5], new float[8]), Throws.ArgumentException.With.Message.Contains("0 to 4"));
        Assert.That(() => model.Layers.Forward(x, [], x), Throws.ArgumentException);
    }

    [Test]
    public void Weights_that_are_no_numbers_give_logits_that_are_none([Values("backbone.layers.0.mixer.A_log", "backbone.layers.0.mixer.in_proj.weight", "backbone.norm_f.weight")] string name)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(new() { DModel = 24, NLayer = 2, VocabSize = 30 }, 1);
        model.Parameters().Single(p => p.Key == name).Value.Floats.Fill(float.NaN);
        using CpuExecutor executor = new(model, 2);
        float[] logits = new float[3 * 30];
        executor.Prefill([1, 2, 3], executor.CreateState(), logits);
        Assert.That(logits, Is.All.NaN);
    }

    [Test]
    public void A_shared_tensor_is_one_parameter_and_untied_heads_are_two()
    {
        MambaConfig config = new() { DModel = 8, NLayer = 1, VocabSize = 5 };
        MambaLanguageModel tied = MambaLanguageModel.Create(config, 1), untied = MambaLanguageModel.Create(config with { TieEmbeddings = false }, 1);
        Assert.That(tied.Vocabulary.IsTied);
        Assert.That(tied.Parameters().Select(p => p.Value.Count).Sum(), Is.EqualTo(config.ParameterCount));
        Assert.That(untied.Parameters().Count, Is.EqualTo(tied.Parameters().Count + 1));
        MambaLanguageModel copy = tied.Map("", (_, tensor) => Tensor.FromFloats(tensor.Floats, tensor.Shape));
        Assert.That(copy.HeadWeight, Is.SameAs(copy.Embeddings.Weight).And.Not.SameAs(tied.HeadWeight));
    }

    [Test]
    public void Blocks_run_as_a_sequence()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(new() { DModel = 12, NLayer = 3, VocabSize = 5 }, 1);
        CpuState state = new(model.Config), other = new(model.Config);
        float[] x = Random(12 * 9, 4), y = new float[x.Length], expected = x;
        model.Layers.Forward(x, state.Layers, y);
        for (int i = 0; i < 3; i++)
        {
            float[] next = new float[x.Length];
            model.Layers[i].Forward(expected, other.Layers[i], next);
            expected = next;
        }

        Assert.That(y, Is.EqualTo(expected));
        Assert.That(model.Layers.ToString(), Does.StartWith("Sequential of 3 ResidualBlock"));
    }

    private static float[] Random(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
    }
}
