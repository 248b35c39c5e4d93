using Mamba.Managed.Execution;
using Mamba.Managed.Kernels;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tests.Execution;

/// <summary>The logits are the same bits however the tokens arrive.</summary>
public class OneResultTests : ExecutorContract
{
    protected override double Tolerance => 0;

    protected override IMambaExecutor Create(MambaLanguageModel model) => new CpuExecutor(model, 2);

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
}
