using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tests.Kernels;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>What holds for every pass: fixed bits, packing, states, and gradients of finite differences.</summary>
public class TrainingPassTests
{
    private static readonly MambaConfig[] Shapes =
    [
        new() { DModel = 24, NLayer = 2, VocabSize = 40 },
        new() { DModel = 10, NLayer = 2, VocabSize = 33, DInner = 75, DState = 5, DConv = 3, DtRank = 3, InProjBias = true, OutProjBias = true, TieEmbeddings = false },
        new() { DModel = 33, NLayer = 1, VocabSize = 17, DInner = 150, DState = 8, ConvBias = false, MixerNormEpsilon = 1e-6f, TieEmbeddings = false },
    ];

    [Test]
    public void Losses_gradients_and_states_are_the_same_bits_on_any_number_of_threads(
        [ValueSource(nameof(Shapes))] MambaConfig config, [Values(2, 3, 7)] int threads, [Values(0f, 0.3f)] float rate)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(config, 1);
        AssertSame(Run(1), Run(threads));

        float[] Run(int count)
        {
            using TrainingPass pass = new(config, count);
            Gradients gradients = new(model);
            TrainingBatch batch = Batch(config, [70, 1, 130, 3]) with { States = States(config, 4, 2), StateGradients = States(config, 4, 3) };
            TrainingLoss loss = pass.Run(model, batch, gradients, dropout: new Dropout(rate, 5));
            AdamW optimizer = new(model.CopyToFloat32());
            double norm = optimizer.Step(gradients, 1e-3, pass);
            return [(float)loss.Sum, (float)norm, .. Flat(gradients), .. Flat(batch.States!), .. Flat(batch.StateGradients!), .. Flat(optimizer.Model)];
        }
    }

    [Test]
    public void Packed_documents_are_separate_sequences_to_the_bit([ValueSource(nameof(Shapes))] MambaConfig config)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(config, 2);
        using TrainingPass pass = new(config, 2);
        int[] lengths = [70, 1, 2, 40, 130];
        CpuState[] initial = States(config, lengths.Length, 4), slopes = States(config, lengths.Length, 5);
        Gradients together = new(model), separate = new(model);
        TrainingBatch packed = Batch(config, lengths) with { States = Copies(initial), StateGradients = Copies(slopes) };
        double loss = pass.Run(model, packed, together).Sum, sum = 0;
        for (int i = 0, start = 0; i < lengths.Length; start += lengths[i], i++)
        {
            TrainingBatch one = new(packed.Tokens.Slice(start, lengths[i]), packed.Targets.Slice(start, lengths[i]), new[] { lengths[i] })
            {
                States = Copies([initial[i]]),
                StateGradients = Copies([slopes[i]]),
            };
            sum += pass.Run(model, one, separate, divisor: packed.TargetCount).Sum;
            AssertSame(Flat(one.States!), Flat([packed.States![i]]));
            AssertSame(Flat(one.StateGradients!), Flat([packed.StateGradients![i]]));
        }

        Assert.That(loss, Is.EqualTo(sum).Within(1e-12 * sum));
        foreach ((KeyValuePair<string, Tensor> a, KeyValuePair<string, Tensor> b) in together.Parameters.Zip(separate.Parameters))
        {
            if (config.TieEmbeddings && a.Key == "backbone.embeddings.weight")
            {
                // Head and embedding add to one gradient, in another order of the documents.
                Assert.That(a.Value.ToArray(), Is.EqualTo(b.Value.ToArray()).Within(1e-6 * b.Value.ToArray().Max(Math.Abs)), a.Key);
            }
            else
            {
                AssertSame(b.Value.ToArray(), a.Value.ToArray());
            }
        }
    }

    [Test]
    public void Windows_that_carry_states_see_what_the_executor_sees([ValueSource(nameof(Shapes))] MambaConfig config)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(config, 3);
        using TrainingPass pass = new(config, 2);
        using CpuExecutor executor = new(model, 1);
        TrainingBatch whole = Batch(config, [150]) with { States = [new(config)] };
        CpuState carried = new(config), expected = executor.CreateState();
        double loss = pass.Evaluate(model, whole).Sum, sum = 0;
        foreach (int start in new[] { 0, 50, 100 })
        {
            sum += pass.Evaluate(model, new(whole.Tokens.Slice(start, 50), whole.Targets.Slice(start, 50), new[] { 50 }) { States = [carried] }).Sum;
        }

        executor.Prefill(whole.Tokens.Span, expected, new float[config.VocabSize]);
        Assert.That(sum, Is.EqualTo(loss).Within(1e-12 * loss));
        Assert.That(carried.Position, Is.EqualTo(150));
        AssertSame(Flat([expected]), Flat([carried]));
        AssertSame(Flat([expected]), Flat(whole.States!));
    }

    [Test]
    public void Gradients_of_weights_and_states_are_those_of_finite_differences([ValueSource(nameof(Shapes))] MambaConfig config)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(config, 6);
        using TrainingPass pass = new(config, 2);
        Gradients gradients = new(model);
        int[] lengths = [5, 2];
        CpuState[] initial = States(config, 2, 7), slopes = States(config, 2, 8);
        TrainingBatch batch = Batch(config, lengths) with { States = Copies(initial), StateGradients = Copies(slopes) };
        ReferenceModel reference = new(model);
        (double[], double[])[][] before = [.. initial.Select(Doubles)], after = [.. slopes.Select(Doubles)];
        double Loss() => Enumerable.Range(0, lengths.Length).Sum(i =>
        {
            int start = lengths[..i].Sum();
            return reference.Loss(batch.Tokens.Slice(start, lengths[i]).ToArray(), batch.Targets.Slice(start, lengths[i]).ToArray(), before[i], after[i]);
        });

        // Summed, not averaged: the divisor is 1.
        double loss = pass.Run(model, batch, gradients, divisor: 1).Sum;
        Assert.That(loss, Is.Not.NaN.And.Positive);
        Random random = new(9);
        foreach ((string name, Tensor gradient) in gradients.Parameters)
        {
            Compare(name, reference.Parameters[name], gradient.ToArray());
        }

        for (int i = 0; i < lengths.Length; i++)
        {
            for (int layer = 0; layer < config.NLayer; layer++)
            {
                Compare($"window {i} {layer}", before[i][layer].Item1, batch.StateGradients![i].Layers[layer].ConvState.ToArray());
                Compare($"state {i} {layer}", before[i][layer].Item2, batch.StateGradients![i].Layers[layer].SsmRows());
            }
        }

        void Compare(string name, double[] at, float[] found)
        {
            double tolerance = 1e-4 * found.Max(Math.Abs);
            for (int sample = 0; sample < 4; sample++)
            {
                int entry = random.Next(found.Length);
                double kept = at[entry];
                double slope = FiniteDifferences.Partial(
                    v =>
                    {
                        at[entry] = v[0];
                        return Loss();
                    },
                    [kept],
                    0);
                at[entry] = kept;
                Assert.That((double)found[entry], Is.EqualTo(slope).Within(tolerance + 1e-8), $"{name} [{entry}]");
            }
        }
    }

    [Test]
    public void Dropout_gives_the_slope_of_the_loss_that_it_gave()
    {
        MambaConfig config = Shapes[0];
        MambaLanguageModel model = MambaLanguageModel.Create(config, 10).CopyToFloat32();
        using TrainingPass pass = new(config, 2);
        Dropout dropout = new(0.4f, 11);
        Gradients gradients = new(model), unused = new(model);
        TrainingBatch batch = Batch(config, [90]);
        double loss = pass.Run(model, batch, gradients, dropout: dropout).Mean;
        Assert.That(loss, Is.Not.EqualTo(pass.Run(model, batch, unused).Mean));
        Assert.That(loss, Is.EqualTo(pass.Run(model, batch, unused, dropout: dropout).Mean));
        double square = gradients.Parameters.Sum(p => p.Value.ToArray().Sum(g => (double)g * g));
        const double Step = 1e-3;
        double ahead = At(Step), behind = At(-2 * Step);
        Assert.That((ahead - behind) / (2 * Step), Is.EqualTo(square).Within(2).Percent);

        double At(double step)
        {
            foreach ((KeyValuePair<string, Tensor> weight, KeyValuePair<string, Tensor> gradient) in model.Parameters().Zip(gradients.Parameters))
            {
                for (int i = 0; i < weight.Value.Count; i++)
                {
                    weight.Value.Floats[i] += (float)(step * gradient.Value.Floats[i]);
                }
            }

            return pass.Run(model, batch, unused, dropout: dropout).Mean;
        }
    }

    [Test]
    public void A_step_of_the_130m_shape_keeps_to_its_memory_plan()
    {
        MambaConfig config = new() { DModel = 768, NLayer = 24, VocabSize = 50280 };
        using TrainingWorkspace workspace = new(config, 2);
        workspace.Reserve(512, 7, 0);
        Assert.That(workspace.ByteLength, Is.LessThan(290_000_000));
    }

    [Test]
    public void Rows_without_a_target_have_neither_loss_nor_gradient()
    {
        MambaConfig config = Shapes[0];
        MambaLanguageModel model = MambaLanguageModel.Create(config, 12);
        using TrainingPass pass = new(config, 1);
        Gradients gradients = new(model);
        TrainingLoss loss = pass.Run(model, new(new[] { 1, 2 }, new[] { -1, -1 }, new[] { 2 }), gradients);
        Assert.That((loss.Sum, loss.Count, loss.Mean), Is.EqualTo((0.0, 0, 0.0)));
        Assert.That(Flat(gradients), Is.All.Zero);
    }

    [Test]
    public void Wrong_arguments_are_named()
    {
        MambaConfig config = Shapes[0];
        MambaLanguageModel model = MambaLanguageModel.Create(config, 13);
        using TrainingPass pass = new(config, 1);
        Gradients gradients = new(model);
        Assert.Multiple(() =>
        {
            Assert.That(() => pass.Evaluate(model, new(new[] { 1 }, new[] { 2 }, new[] { 2 })), Throws.ArgumentException);
            Assert.That(() => pass.Evaluate(model, new(new[] { 40 }, new[] { 2 }, new[] { 1 })), Throws.ArgumentException.With.Message.Contains("0 to 39, found 40"));
            Assert.That(() => pass.Evaluate(model, new(new[] { 1 }, new[] { -2 }, new[] { 1 })), Throws.ArgumentException.With.Message.Contains("-1 to 39, found -2"));
            Assert.That(() => pass.Evaluate(model, new(Array.Empty<int>(), Array.Empty<int>(), Array.Empty<int>())), Throws.ArgumentException);
            Assert.That(() => pass.Evaluate(MambaLanguageModel.Create(Shapes[1], 1), Batch(config, [3])), Throws.ArgumentException);
            Assert.That(() => pass.Evaluate(model, Batch(config, [3]) with { States = [new(Shapes[1])] }), Throws.ArgumentException);
            Assert.That(() => pass.Run(model, Batch(config, [3]), gradients, divisor: double.NaN), Throws.ArgumentException);
            Assert.That(() => pass.Run(model, Batch(config, [3]), gradients, dropout: new Dropout(1, 1)), Throws.ArgumentException);
            Assert.That(() => TrainingBatch.OfDocuments([1]), Throws.ArgumentException.With.Message.Contains("document 0"));
        });
    }

    private static TrainingBatch Batch(MambaConfig config, int[] lengths)
    {
        Random random = new(lengths.Sum());
        int[] tokens = [.. Enumerable.Range(0, lengths.Sum()).Select(_ => random.Next(config.VocabSize))];
        int[] targets = [.. tokens.Select(_ => random.Next(5) == 0 ? -1 : random.Next(config.VocabSize))];
        targets[0] = 3;
        return new(tokens, targets, lengths);
    }

    private static CpuState[] States(MambaConfig config, int count, int seed)
    {
        Random random = new(seed);
        CpuState[] states = [.. Enumerable.Range(0, count).Select(_ => new CpuState(config))];
        foreach (CpuState state in states)
        {
            foreach (MixerState layer in state.Layers)
            {
                foreach (ref float v in layer.ConvState)
                {
                    v = random.NextSingle() - 0.5f;
                }

                foreach (ref float v in layer.SsmState)
                {
                    v = random.NextSingle() - 0.5f;
                }
            }
        }

        return states;
    }

    private static CpuState[] Copies(CpuState[] states) => [.. states.Select(state =>
    {
        int layers = state.Layers.Length;
        MixerState first = state.Layers[0];
        CpuState copy = new(new MambaConfig { DModel = 1, NLayer = layers, VocabSize = 1, DInner = first.Channels, DConv = first.ConvLength, DState = first.States });
        copy.CopyFrom(state);
        return copy;
    })];

    private static (double[], double[])[] Doubles(CpuState state)
    {
        List<(double[], double[])> layers = [];
        foreach (MixerState layer in state.Layers)
        {
            layers.Add((Array.ConvertAll(layer.ConvState.ToArray(), v => (double)v), Array.ConvertAll(layer.SsmRows(), v => (double)v)));
        }

        return [.. layers];
    }

    private static float[] Flat(Gradients gradients) => Flat(gradients.Tree);

    private static float[] Flat(MambaLanguageModel model) => [.. model.Parameters().SelectMany(p => p.Value.ToArray())];

    private static float[] Flat(IEnumerable<CpuState> states)
    {
        List<float> values = [];
        foreach (CpuState state in states)
        {
            foreach (MixerState layer in state.Layers)
            {
                values.AddRange(layer.ConvState);
                values.AddRange(layer.SsmState);
            }
        }

        return [.. values];
    }

    private static void AssertSame(float[] expected, float[] found)
    {
        Assert.That(expected, Has.None.NaN);
        Assert.That(found.Select(BitConverter.SingleToUInt32Bits).SequenceEqual(expected.Select(BitConverter.SingleToUInt32Bits)), Is.True, "the same bits");
    }
}
