using System.Collections;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>Passes, steps and runs that are disposed, shared between threads, or that fail.</summary>
public class TrainingOwnershipTests
{
    private static readonly MambaConfig Config = new() { DModel = 32, NLayer = 2, VocabSize = 32 };

    [Test]
    public void Disposing_a_pass_waits_for_the_call_that_runs([Values(1, 2, 4)] int threads) => TimeLimit.Run(() =>
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1);
        using Gradients gradients = new(model);
        for (int round = 0; round < 20; round++)
        {
            TrainingPass pass = new(Config, threads);
            Exception? seen = null;
            int calls = 0;
            Thread caller = TimeLimit.Start(() =>
            {
                try
                {
                    while (true)
                    {
                        pass.Run(model, Batch(), gradients);
                        Interlocked.Increment(ref calls);
                    }
                }
                catch (ObjectDisposedException error)
                {
                    seen = error;
                }
            });
            SpinWait.SpinUntil(() => Volatile.Read(ref calls) > round % 3);
            pass.Dispose();
            Assert.That(pass.ByteLength, Is.Zero);
            caller.Join();
            Assert.That(seen, Is.InstanceOf<ObjectDisposedException>());
        }
    });

    [Test]
    public void Steps_and_passes_of_several_threads_take_turns([Values(1, 3)] int threads) => TimeLimit.Run(() =>
    {
        using TrainingPass pass = new(Config, threads);
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1).CopyToFloat32();
        using Gradients zeros = new(model);
        using AdamW optimizer = new(model, new AdamWOptions { WeightDecay = 0 });
        double expected = pass.Evaluate(model, Batch()).Sum;

        // Gradients of zero move nothing, so that every loss is the same.
        Thread[] others =
        [
            TimeLimit.Start(() => Repeat(() => optimizer.Step(zeros, 1e-3, pass))),
            TimeLimit.Start(() => Repeat(() => optimizer.Step(zeros, 1e-3, pass))),
        ];
        Repeat(() => Assert.That(pass.Evaluate(model, Batch()).Sum, Is.EqualTo(expected)));
        Array.ForEach(others, thread => thread.Join());
        Assert.That(optimizer.Steps, Is.EqualTo(60));

        static void Repeat(Action action)
        {
            for (int i = 0; i < 30; i++)
            {
                action();
            }
        }
    });

    [Test]
    public void Memory_that_is_disposed_during_a_call_stays_until_its_end()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1).CopyToFloat32();
        float expected = model.Embeddings.Weight.Floats[0];
        using (ParameterPointers pointers = new(model))
        {
            Free(model);
            unsafe
            {
                Assert.That(pointers.Embedding[0], Is.EqualTo(expected));
            }
        }

        Assert.That(() => model.Embeddings.Weight.Floats[0], Throws.InstanceOf<ObjectDisposedException>());
        using TrainingPass pass = new(Config, 1);
        Assert.That(() => pass.Evaluate(model, Batch()), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void What_has_been_disposed_is_refused_and_changes_nothing()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1).CopyToFloat32();
        using TrainingPass pass = new(Config, 2);
        Gradients gradients = new(model), whole = new(model);
        AdamW optimizer = new(model);
        gradients.Dispose();
        float[] before = Flat(model);
        Assert.That(() => pass.Run(model, Batch(), gradients), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => optimizer.Step(gradients, 1e-3, pass), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(gradients.Clear, Throws.InstanceOf<ObjectDisposedException>());
        optimizer.Dispose();
        Assert.That(() => optimizer.Step(whole, 1e-3, pass), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(optimizer.Steps, Is.Zero);
        Assert.That(Flat(model), Is.EqualTo(before));
        whole.Dispose();
    }

    [Test]
    public void Gradients_of_another_model_are_named()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1).CopyToFloat32();
        using TrainingPass pass = new(Config, 1);
        using AdamW optimizer = new(model);
        using Gradients other = new(MambaLanguageModel.Create(Config with { DtRank = 3 }, 1));
        using Gradients untied = new(MambaLanguageModel.Create(Config with { TieEmbeddings = false }, 1));
        Assert.Multiple(() =>
        {
            Assert.That(() => optimizer.Step(other, 1e-3), Throws.ArgumentException.With.Message.Contains("backbone.layers.0.mixer.x_proj.weight"));
            Assert.That(() => optimizer.Step(untied, 1e-3), Throws.ArgumentException.With.Message.Contains("parameters"));
            Assert.That(() => pass.Run(model, Batch(), other), Throws.ArgumentException);
        });
    }

    [Test]
    public void Tokens_that_change_after_they_were_copied_are_not_used()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1);
        using TrainingPass pass = new(Config, 1);
        int[] tokens = [1, 2, 3], targets = [2, 3, 4], lengths = [3];
        double expected = pass.Evaluate(model, new(tokens.ToArray(), targets.ToArray(), lengths.ToArray())).Sum;
        Saboteur states = new([new CpuState(Config)], () =>
        {
            tokens[1] = 100_000_000;
            targets[1] = 100_000_000;
            lengths[0] = 1_000_000;
        });
        Assert.That(pass.Evaluate(model, new(tokens, targets, lengths) { States = states }).Sum, Is.EqualTo(expected));
        Assert.That(states[0].Position, Is.EqualTo(3));
        Assert.That(tokens[1], Is.EqualTo(100_000_000), "the sabotage took place");
    }

    [Test]
    public void A_pass_whose_loss_is_not_finite_leaves_states_as_they_were([Values(1, 2)] int threads)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1).CopyToFloat32();
        using TrainingPass pass = new(Config, threads);
        using Gradients gradients = new(model);
        CpuState[] states = [new(Config)], slopes = [new(Config)];
        pass.Run(model, Batch() with { States = states, StateGradients = slopes }, gradients);
        float[] before = [.. Flat(states[0]), .. Flat(slopes[0])];
        model.NormF.Weight.Floats[3] = float.NaN;
        Assert.That(
            () => pass.Run(model, Batch() with { States = states, StateGradients = slopes }, gradients),
            Throws.InstanceOf<NonFiniteException>().With.Property(nameof(NonFiniteException.Quantity)).EqualTo("the loss"));
        Assert.That(new[] { states[0].Position, slopes[0].Position }, Is.EqualTo(new long[] { 6, 0 }));
        Assert.That(Flat(states[0]).Concat(Flat(slopes[0])), Is.EqualTo(before));
    }

    [Test]
    public void A_step_that_fails_leaves_a_run_as_it_was()
    {
        using Trainer trainer = TrainingChild.Create(null, carry: true);
        for (int step = 0; step < 3; step++)
        {
            trainer.Advance();
        }

        // Infinite in the last layer only, so that every batch has moved its states before the step fails.
        Tensor norm = trainer.Model.NormF.Weight;
        float kept = norm.Floats[0];
        norm.Floats[0] = float.PositiveInfinity;
        float[] before = [.. Flat(trainer.Model), .. Flat(trainer.Engine.FirstMoments), .. Flat(trainer.Result), .. trainer.Tracks.SelectMany(Flat)];
        long[] positions = [.. trainer.Tracks.Select(track => track.Position)];
        Assert.That(() => trainer.Advance(), Throws.InstanceOf<NonFiniteException>());
        Assert.That(trainer.Step, Is.EqualTo(3));
        Assert.That(trainer.Tracks.Select(track => track.Position), Is.EqualTo(positions));
        Assert.That(
            new float[][] { [.. Flat(trainer.Model), .. Flat(trainer.Engine.FirstMoments), .. Flat(trainer.Result), .. trainer.Tracks.SelectMany(Flat)] },
            Is.EqualTo(new[] { before }));

        // The run goes on as one that never failed.
        norm.Floats[0] = kept;
        using Trainer other = TrainingChild.Create(null, carry: true);
        for (int step = 0; step < 3; step++)
        {
            other.Advance();
        }

        Assert.That(trainer.Advance().Loss, Is.EqualTo(other.Advance().Loss));
        Assert.That(Flat(trainer.Model), Is.EqualTo(Flat(other.Model)));
    }

    [Test]
    public void A_run_that_was_disposed_gives_its_memory_back_and_refuses_calls() => TimeLimit.Run(() =>
    {
        Trainer trainer = TrainingChild.Create(null, carry: true);
        int steps = 0;
        Exception? seen = null;
        Thread caller = TimeLimit.Start(() =>
        {
            try
            {
                while (true)
                {
                    trainer.Advance();
                    Interlocked.Increment(ref steps);
                }
            }
            catch (ObjectDisposedException error)
            {
                seen = error;
            }
        });
        SpinWait.SpinUntil(() => Volatile.Read(ref steps) > 1);
        trainer.Dispose();
        trainer.Dispose();
        caller.Join();
        Assert.Multiple(() =>
        {
            Assert.That(seen, Is.InstanceOf<ObjectDisposedException>());
            Assert.That(() => trainer.Save(), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => trainer.Validate(), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => trainer.Model.NormF.Weight.Floats[0], Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => trainer.Result.NormF.Weight.Floats[0], Throws.InstanceOf<ObjectDisposedException>());
        });
    });

    private static TrainingBatch Batch() => TrainingBatch.OfDocuments([1, 2, 3, 4, 5, 6, 7]);

    private static void Free(MambaLanguageModel model)
    {
        foreach ((_, Tensor tensor) in model.Parameters())
        {
            tensor.Buffer.Dispose();
        }
    }

    private static float[] Flat(MambaLanguageModel model) => [.. model.Parameters().SelectMany(p => p.Value.ToArray())];

    private static float[] Flat(CpuState state)
    {
        List<float> values = [];
        foreach (MixerState layer in state.Layers)
        {
            values.AddRange(layer.ConvState);
            values.AddRange(layer.SsmState);
        }

        return [.. values];
    }

    private sealed class Saboteur(CpuState[] states, Action act) : IReadOnlyList<CpuState>
    {
        public int Count => states.Length;

        public CpuState this[int index] => states[index];

        public IEnumerator<CpuState> GetEnumerator()
        {
            act();
            return ((IEnumerable<CpuState>)states).GetEnumerator();
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
