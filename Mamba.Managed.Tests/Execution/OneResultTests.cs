using Mamba.Managed.Execution;
using Mamba.Managed.Kernels;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tests.Execution;

/// <summary>The logits are the same bits however the tokens arrive.</summary>
public class OneResultTests
{
    private static readonly MambaConfig[] Shapes =
    [
        new() { DModel = 24, NLayer = 2, VocabSize = 40 },
        new() { DModel = 50, NLayer = 2, VocabSize = 53, DInner = 150, DConv = 3, DState = 8, DtRank = 5, InProjBias = true, OutProjBias = true, TieEmbeddings = false },
        new() { DModel = 17, NLayer = 1, VocabSize = 19, DState = 7, DConv = 1, ConvBias = false },
        new() { DModel = 32, NLayer = 2, VocabSize = 64, MixerNormEpsilon = 1e-6f },
    ];

    [Test]
    public void In_chunks_as_at_once([ValueSource(nameof(Shapes))] MambaConfig config, [Values(1, 2, 5, 64)] int chunk)
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(config, 1), 2);
        int[] tokens = Tokens(config, 90);
        float[] once = new float[tokens.Length * config.VocabSize];
        CpuState whole = executor.CreateState();
        executor.Prefill(tokens, whole, once);

        float[] chunked = new float[once.Length];
        CpuState parts = executor.CreateState();
        for (int at = 0; at < tokens.Length; at += chunk)
        {
            int length = Math.Min(chunk, tokens.Length - at);
            executor.Prefill(tokens.AsSpan(at, length), parts, chunked.AsSpan(at * config.VocabSize, length * config.VocabSize));
        }

        AssertSame(once, chunked);
        AssertSame(whole, parts);
    }

    [Test]
    public void On_any_number_of_threads([ValueSource(nameof(Shapes))] MambaConfig config, [Values(2, 3, 7)] int threads)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(config, 2);
        int[] tokens = Tokens(config, 70);
        AssertSame(Logits(1), Logits(threads));

        float[] Logits(int count)
        {
            using CpuExecutor executor = new(model, count);
            float[] logits = new float[tokens.Length * config.VocabSize];
            executor.Prefill(tokens, executor.CreateState(), logits);
            return logits;
        }
    }

    [Test]
    public void In_a_batch_as_alone([ValueSource(nameof(Shapes))] MambaConfig config)
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(config, 3), 2);
        const int Sequences = 9;
        CpuState[] alone = new CpuState[Sequences], together = new CpuState[Sequences];
        float[] logits = new float[config.VocabSize];
        for (int s = 0; s < Sequences; s++)
        {
            alone[s] = executor.CreateState();
            executor.Prefill(Tokens(config, (3 * s) + 1), alone[s], logits);
            together[s] = executor.CreateState();
            together[s].CopyFrom(alone[s]);
        }

        int[] next = Tokens(config, Sequences);
        float[] batch = new float[Sequences * config.VocabSize];
        executor.Step(next, together, batch);
        for (int s = 0; s < Sequences; s++)
        {
            executor.Prefill([next[s]], alone[s], logits);
            AssertSame(logits, batch.AsSpan(s * config.VocabSize, config.VocabSize).ToArray());
            AssertSame(alone[s], together[s]);
        }
    }

    [Test]
    public void In_a_ragged_batch_as_alone([ValueSource(nameof(Shapes))] MambaConfig config, [Values] bool all)
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(config, 8), 2);
        int[] lengths = [3, 1, 40, 600, 7, 1, 1, 500, 12];
        CpuState[] together = [.. lengths.Select(_ => executor.CreateState())];
        int[] tokens = Tokens(config, lengths.Sum());
        float[] logits = new float[(all ? tokens.Length : lengths.Length) * config.VocabSize];
        executor.Forward(tokens, lengths, together, logits);
        for (int s = 0, start = 0, row = 0; s < lengths.Length; start += lengths[s], s++)
        {
            float[] expected = new float[lengths[s] * config.VocabSize];
            CpuState alone = executor.CreateState();
            executor.Prefill(tokens.AsSpan(start, lengths[s]), alone, expected);
            float[] wanted = all ? expected : expected[^config.VocabSize..];
            AssertSame(wanted, logits.AsSpan(row, wanted.Length).ToArray());
            AssertSame(alone, together[s]);
            row += wanted.Length;
        }
    }

    [Test]
    public void Whatever_logits_are_asked_for([ValueSource(nameof(Shapes))] MambaConfig config, [Values(1, 2, 3, 4, 5)] int seed)
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(config, 11), 2);
        Random random = new(seed);
        int[] lengths = [.. Enumerable.Range(0, random.Next(1, 8)).Select(_ => random.Next(1, random.Next(2, 30)))];
        int[] tokens = Tokens(config, lengths.Sum());
        SequenceInput[] batch = [.. lengths.Select(length => new SequenceInput(executor.CreateState(), length, (LogitRows)random.Next(seed < 3 ? 2 : 3)))];
        float[] logits = new float[batch.Sum(input => input.LogitCount) * config.VocabSize];
        executor.Run(tokens, batch, logits);
        for (int s = 0, start = 0, row = 0; s < batch.Length; start += lengths[s], row += batch[s].LogitCount * config.VocabSize, s++)
        {
            float[] expected = new float[lengths[s] * config.VocabSize];
            CpuState alone = executor.CreateState();
            executor.Prefill(tokens.AsSpan(start, lengths[s]), alone, expected);
            int wanted = batch[s].LogitCount * config.VocabSize;
            AssertSame(expected[(expected.Length - wanted)..], logits.AsSpan(row, wanted).ToArray());
            AssertSame(alone, (CpuState)batch[s].State);
        }
    }

    [Test]
    public void Layer_by_layer_as_whole([ValueSource(nameof(Shapes))] MambaConfig config)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(config, 9);
        using CpuExecutor executor = new(model, 2);
        int[] tokens = Tokens(config, 30);
        float[] whole = new float[tokens.Length * config.VocabSize], parts = new float[whole.Length];
        executor.Prefill(tokens, executor.CreateState(), whole);
        CpuState state = executor.CreateState();
        model.Forward(tokens.AsSpan(0, 7), state, parts.AsSpan(0, 7 * config.VocabSize));
        model.Forward(tokens.AsSpan(7), state, parts.AsSpan(7 * config.VocabSize));
        AssertSame(whole, parts);
    }

    [Test]
    public void Weights_of_every_type_give_one_result_near_that_of_single_precision(
        [Values(ElementType.Float16, ElementType.BFloat16, ElementType.Q8_0, ElementType.Q4_0, ElementType.Q4_K, ElementType.Q6_K)] ElementType type)
    {
        MambaConfig config = new() { DModel = 256, NLayer = 2, VocabSize = 53 };
        MambaLanguageModel held = MambaLanguageModel.Create(config, 10).Map("", (path, tensor) =>
            path.EndsWith("proj.weight", StringComparison.Ordinal) || path.EndsWith("embeddings.weight", StringComparison.Ordinal)
                ? tensor.Shape[^1] % type.BlockLength() == 0 ? tensor.ConvertTo(type) : tensor
                : tensor);
        MambaLanguageModel single = held.Map("", (_, tensor) => tensor.ToFloat32());
        int[] tokens = Tokens(config, 20);
        float[] expected = new float[tokens.Length * config.VocabSize], found = new float[expected.Length], near = new float[expected.Length];
        using CpuExecutor reference = new(held, 1), executor = new(held, 2), floats = new(single, 2);
        reference.Prefill(tokens, reference.CreateState(), expected);
        floats.Prefill(tokens, floats.CreateState(), near);
        CpuState state = executor.CreateState();
        executor.Prefill(tokens.AsSpan(0, 13), state, found.AsSpan(0, 13 * config.VocabSize));
        for (int i = 13; i < tokens.Length; i++)
        {
            executor.Prefill([tokens[i]], state, found.AsSpan(i * config.VocabSize, config.VocabSize));
        }

        AssertSame(expected, found);
        Assert.That(executor.StepBytes, Is.LessThan(floats.StepBytes));

        // Blocks are multiplied by activations of 8 bits, half types by the activations themselves.
        float tolerance = type.IsQuantized() ? 1e-2f * near.Max(Math.Abs) : 0;
        Assert.That(expected, Is.EqualTo(near).Within(tolerance));
    }

    [Test]
    public void A_long_input_gives_the_logits_of_its_last_token()
    {
        MambaConfig config = Shapes[0];
        using CpuExecutor executor = new(MambaLanguageModel.Create(config, 4), 2);
        int[] tokens = Tokens(config, 1300);
        float[] all = new float[tokens.Length * config.VocabSize];
        float[] last = new float[config.VocabSize];
        executor.Prefill(tokens, executor.CreateState(), all);
        executor.Prefill(tokens, executor.CreateState(), last);
        AssertSame(last, all[^config.VocabSize..]);
    }

    [Test]
    public void A_step_allocates_nothing()
    {
        MambaConfig config = Shapes[0];
        using CpuExecutor executor = new(MambaLanguageModel.Create(config, 5), 1);
        CpuState state = executor.CreateState();
        float[] logits = new float[config.VocabSize];
        executor.Prefill([1], state, logits);
        long bytes = Allocations.Of(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                executor.Prefill([2], state, logits);
            }
        });
        Assert.That(bytes, Is.Zero);
    }

    [Test]
    public void A_canceled_prefill_leaves_the_state_as_it_was()
    {
        MambaConfig config = Shapes[0];
        using CpuExecutor executor = new(MambaLanguageModel.Create(config, 6), 2);
        CpuState state = executor.CreateState(), before = executor.CreateState();
        float[] logits = new float[config.VocabSize];
        executor.Prefill([3, 4], state, logits);
        before.CopyFrom(state);
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.That(() => executor.Prefill(Tokens(config, 2000), state, logits, source.Token), Throws.InstanceOf<OperationCanceledException>());
        AssertSame(before, state);
    }

    [Test]
    public void Wrong_arguments_are_named()
    {
        MambaConfig config = Shapes[0];
        using CpuExecutor executor = new(MambaLanguageModel.Create(config, 7), 1);
        CpuState state = executor.CreateState();
        float[] logits = new float[config.VocabSize];
        Assert.Multiple(() =>
        {
            Assert.That(() => executor.Prefill([], state, logits), Throws.ArgumentException.With.Message.Contains("at least one token"));
            Assert.That(() => executor.Prefill([40], state, logits), Throws.ArgumentException.With.Message.Contains("0 to 39, found 40"));
            Assert.That(() => executor.Prefill([-1], state, logits), Throws.ArgumentException);
            Assert.That(() => executor.Prefill([1], state, new float[3]), Throws.ArgumentException);
            Assert.That(() => executor.Prefill([1], new CpuState(Shapes[1]), logits), Throws.ArgumentException);
            Assert.That(() => executor.Step([1, 2], [state, state], new float[80]), Throws.ArgumentException.With.Message.Contains("0 and 1"));
        });
    }

    private static int[] Tokens(MambaConfig config, int count)
    {
        Random random = new(count);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(config.VocabSize))];
    }

    private static void AssertSame(CpuState expected, CpuState found)
    {
        Assert.That(found.Position, Is.EqualTo(expected.Position));
        for (int layer = 0; layer < expected.Layers.Length; layer++)
        {
            AssertSame(expected.Layers[layer].ConvState.ToArray(), found.Layers[layer].ConvState.ToArray());
            AssertSame(expected.Layers[layer].SsmState.ToArray(), found.Layers[layer].SsmState.ToArray());
        }
    }

    private static void AssertSame(float[] expected, float[] found)
    {
        Assert.That(expected, Has.None.NaN);
        Assert.That(found.Select(BitConverter.SingleToUInt32Bits), Is.EqualTo(expected.Select(BitConverter.SingleToUInt32Bits)));
    }
}
