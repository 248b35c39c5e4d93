using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Execution;

/// <summary>What every executor promises, held by public types alone: a fixture that derives from this puts its executor through it.</summary>
public abstract class ExecutorContract
{
    protected static readonly MambaConfig[] Shapes =
    [
        new() { DModel = 24, NLayer = 2, VocabSize = 40 },
        new() { DModel = 50, NLayer = 2, VocabSize = 53, DInner = 150, DConv = 3, DState = 8, DtRank = 5, InProjBias = true, OutProjBias = true, TieEmbeddings = false },
        new() { DModel = 17, NLayer = 1, VocabSize = 19, DState = 7, DConv = 1, ConvBias = false },
        new() { DModel = 32, NLayer = 2, VocabSize = 64, MixerNormEpsilon = 1e-6f },
    ];

    /// <summary>How far logits may be from those of the processor's, relative to the largest: 0 for the same bits.</summary>
    protected abstract double Tolerance { get; }

    /// <summary>
    /// How far results of the same tokens may lie apart where they come in other passes - in chunks, in a batch - relative to the largest: 0 for the
    /// same bits. The same pass gives the same bits on every executor.
    /// </summary>
    protected virtual double Spread => 0;

    /// <summary>The executor under test.</summary>
    protected abstract IMambaExecutor Create(MambaLanguageModel model);

    [Test]
    public void Logits_and_states_are_near_those_of_the_processor([ValueSource(nameof(Shapes))] MambaConfig config)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(config, 20);
        using IMambaExecutor executor = Create(model), reference = new CpuExecutor(model, 2);
        int[] tokens = Tokens(config, 50);
        using SequenceState state = executor.CreateState(), expectedState = reference.CreateState();
        float[] found = new float[tokens.Length * config.VocabSize], expected = new float[found.Length];
        executor.Prefill(tokens, state, found);
        reference.Prefill(tokens, expectedState, expected);
        AssertNear(expected, found);
        AssertNear(Exported(expectedState), Exported(state));

        // A sequence begun on one goes on on the other, either way.
        using SequenceState there = executor.CreateState(), back = reference.CreateState();
        there.CopyFrom(expectedState);
        back.Import(Exported(state), state.Position);
        Assert.That((there.Position, back.Position), Is.EqualTo((50L, 50L)));
        float[] last = new float[config.VocabSize], next = new float[config.VocabSize];
        reference.Prefill([3, 4, 5], expectedState, last);
        executor.Prefill([3, 4, 5], there, next);
        AssertNear(last, next);
        reference.Prefill([3, 4, 5], back, next);
        AssertNear(last, next);
    }

    [Test]
    public void An_executor_describes_itself()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Shapes[0], 21);
        using IMambaExecutor executor = Create(model);
        using SequenceState state = executor.CreateState();
        Assert.Multiple(() =>
        {
            Assert.That(executor.Config, Is.EqualTo(model.Config));
            Assert.That(executor.Fingerprint, Is.EqualTo(ModelFingerprint.Of(model)));
            Assert.That(executor.MaxRows, Is.Positive);
            Assert.That(executor.PromptChunk, Is.InRange(1, executor.MaxRows));
            Assert.That(state.Layout, Is.EqualTo(StateLayout.Of(model.Config)));
            Assert.That(state.Position, Is.Zero);
            Assert.That(Exported(state), Is.All.Zero);
        });
    }

    [Test]
    public void In_chunks_as_at_once([ValueSource(nameof(Shapes))] MambaConfig config, [Values(1, 2, 5, 64)] int chunk)
    {
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(config, 1));
        int[] tokens = Tokens(config, 90);
        float[] once = new float[tokens.Length * config.VocabSize];
        SequenceState whole = executor.CreateState();
        executor.Prefill(tokens, whole, once);

        float[] chunked = new float[once.Length];
        SequenceState parts = executor.CreateState();
        for (int at = 0; at < tokens.Length; at += chunk)
        {
            int length = Math.Min(chunk, tokens.Length - at);
            executor.Prefill(tokens.AsSpan(at, length), parts, chunked.AsSpan(at * config.VocabSize, length * config.VocabSize));
        }

        AssertEqual(once, chunked);
        AssertEqual(whole, parts);
    }

    [Test]
    public void In_a_batch_as_alone([ValueSource(nameof(Shapes))] MambaConfig config)
    {
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(config, 3));
        const int Sequences = 9;
        SequenceState[] alone = new SequenceState[Sequences], together = new SequenceState[Sequences];
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
            AssertEqual(logits, batch.AsSpan(s * config.VocabSize, config.VocabSize).ToArray());
            AssertEqual(alone[s], together[s]);
        }
    }

    [Test]
    public void In_a_ragged_batch_as_alone([ValueSource(nameof(Shapes))] MambaConfig config, [Values] bool all)
    {
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(config, 8));
        int[] lengths = [3, 1, 40, 600, 7, 1, 1, 500, 12];
        SequenceState[] together = [.. lengths.Select(_ => executor.CreateState())];
        int[] tokens = Tokens(config, lengths.Sum());
        float[] logits = new float[(all ? tokens.Length : lengths.Length) * config.VocabSize];
        executor.Forward(tokens, lengths, together, logits);
        for (int s = 0, start = 0, row = 0; s < lengths.Length; start += lengths[s], s++)
        {
            float[] expected = new float[lengths[s] * config.VocabSize];
            SequenceState alone = executor.CreateState();
            executor.Prefill(tokens.AsSpan(start, lengths[s]), alone, expected);
            float[] wanted = all ? expected : expected[^config.VocabSize..];
            AssertEqual(wanted, logits.AsSpan(row, wanted.Length).ToArray());
            AssertEqual(alone, together[s]);
            row += wanted.Length;
        }
    }

    [Test]
    public void Whatever_logits_are_asked_for([ValueSource(nameof(Shapes))] MambaConfig config, [Values(1, 2, 3, 4, 5)] int seed)
    {
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(config, 11));
        Random random = new(seed);
        int[] lengths = [.. Enumerable.Range(0, random.Next(1, 8)).Select(_ => random.Next(1, random.Next(2, 30)))];
        int[] tokens = Tokens(config, lengths.Sum());
        SequenceInput[] batch = [.. lengths.Select(length => new SequenceInput(executor.CreateState(), length, (LogitRows)random.Next(seed < 3 ? 2 : 3)))];
        float[] logits = new float[batch.Sum(input => input.LogitCount) * config.VocabSize];
        executor.Run(tokens, batch, logits);
        for (int s = 0, start = 0, row = 0; s < batch.Length; start += lengths[s], row += batch[s].LogitCount * config.VocabSize, s++)
        {
            float[] expected = new float[lengths[s] * config.VocabSize];
            SequenceState alone = executor.CreateState();
            executor.Prefill(tokens.AsSpan(start, lengths[s]), alone, expected);
            int wanted = batch[s].LogitCount * config.VocabSize;
            AssertEqual(expected[(expected.Length - wanted)..], logits.AsSpan(row, wanted).ToArray());
            AssertEqual(alone, batch[s].State);
        }
    }

    [Test]
    public void A_long_input_gives_the_logits_of_its_last_token()
    {
        MambaConfig config = Shapes[0];
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(config, 4));
        int[] tokens = Tokens(config, 1300);
        float[] all = new float[tokens.Length * config.VocabSize];
        float[] last = new float[config.VocabSize];
        executor.Prefill(tokens, executor.CreateState(), all);
        executor.Prefill(tokens, executor.CreateState(), last);
        AssertEqual(last, all[^config.VocabSize..]);
    }

    [Test]
    public void A_canceled_prefill_leaves_the_state_as_it_was()
    {
        MambaConfig config = Shapes[0];
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(config, 6));
        SequenceState state = executor.CreateState(), before = executor.CreateState();
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
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(config, 7));
        using IMambaExecutor other = Create(MambaLanguageModel.Create(Shapes[1], 7));
        using SequenceState state = executor.CreateState(), before = executor.CreateState(), foreign = other.CreateState(), gone = executor.CreateState();
        float[] logits = new float[config.VocabSize];
        executor.Prefill([1, 2, 3], state, logits);
        before.CopyFrom(state);
        gone.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(() => executor.Prefill([], state, logits), Throws.ArgumentException.With.Message.Contains("at least one token"));
            Assert.That(() => executor.Prefill([40], state, logits), Throws.ArgumentException.With.Message.Contains("0 to 39, found 40"));
            Assert.That(() => executor.Prefill([-1], state, logits), Throws.ArgumentException);
            Assert.That(() => executor.Prefill([1], state, new float[3]), Throws.ArgumentException);
            Assert.That(() => executor.Prefill([1], foreign, logits), Throws.ArgumentException);
            Assert.That(() => executor.Step([1, 2], [state, state], new float[80]), Throws.ArgumentException);
            Refused([1, 2], [new(state, 1, LogitRows.Last), new(state, 1, LogitRows.Last)], 80);
            Refused([1, 2], [new(state, 1, LogitRows.Last), new(foreign, 1, LogitRows.Last)], 80);
            Refused([1, 2], [new(state, 1, LogitRows.Last), new(null!, 1, LogitRows.Last)], 80);
            Refused([1, 40], [new(state, 2, LogitRows.Last)], 40);
            Refused([1, 2], [new(state, 1, LogitRows.Last)], 40);
            Refused([1, 2], [new(state, 2, LogitRows.Last)], 80);
            Refused([1, 2], [new(state, 2, LogitRows.All)], 40);
            Refused([1, 2], [new(state, 2, LogitRows.None)], 40);
            Refused([1, 2], [new(state, 2, (LogitRows)7)], 40);
            Refused([1, 2], [new(state, 3, LogitRows.Last), new(other.CreateState(), -1, LogitRows.None)], 40);
            Refused([], [], 0);
            Refused(new int[executor.MaxRows + 1], [new(state, executor.MaxRows + 1, LogitRows.Last)], 40);
            Assert.That(() => executor.Step([1, 2], [state, gone], new float[80]), Throws.TypeOf<ObjectDisposedException>());
        });
        AssertSame(before, state);

        void Refused(int[] tokens, SequenceInput[] batch, int count) =>
            Assert.That(() => executor.Run(tokens, batch, new float[count]), Throws.InstanceOf<ArgumentException>());
    }

    [Test]
    public void A_call_that_fails_or_is_canceled_on_its_way_leaves_states_as_they_were([Values] bool cancel)
    {
        MambaConfig config = Shapes[0];
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(config, 17));
        using SequenceState state = executor.CreateState(), second = executor.CreateState(), before = executor.CreateState();
        executor.Prefill([1, 2, 3], state, new float[40]);
        before.CopyFrom(state);
        using CancellationTokenSource source = new();
        using Interrupted interrupted = new(executor, () =>
        {
            source.Cancel();
            if (!cancel)
            {
                throw new InvalidOperationException("the device failed");
            }
        });
        int[] tokens = Tokens(config, 3 * executor.MaxRows);
        Assert.That(
            () => interrupted.Prefill(tokens, state, new float[40], source.Token),
            cancel ? Throws.InstanceOf<OperationCanceledException>() : Throws.InvalidOperationException);
        AssertSame(before, state);
        if (!cancel)
        {
            Assert.That(() => interrupted.Forward(tokens, [5, tokens.Length - 5], [state, second], new float[80]), Throws.InvalidOperationException);
            AssertSame(before, state);
            Assert.That(second.Position, Is.Zero);
        }
    }

    [Test]
    public void A_state_that_is_copied_cleared_or_moved_goes_on_in_the_same_bits([ValueSource(nameof(Shapes))] MambaConfig config)
    {
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(config, 12));
        float[] expected = new float[config.VocabSize], found = new float[config.VocabSize];
        using SequenceState state = executor.CreateState(), copy = executor.CreateState(), imported = executor.CreateState(), restored = executor.CreateState();
        executor.Prefill(Tokens(config, 30), state, expected);
        copy.CopyFrom(state);
        imported.Import(Exported(state), state.Position);
        using MemoryStream stream = new();
        state.Save(stream, executor.Fingerprint);
        stream.Position = 0;
        restored.Restore(stream, executor.Fingerprint);
        executor.Prefill([1, 2], state, expected);
        foreach (SequenceState other in (SequenceState[])[copy, imported, restored])
        {
            executor.Prefill([1, 2], other, found);
            AssertSame(expected, found);
            AssertSame(state, other);
        }

        copy.Clear();
        using SequenceState fresh = executor.CreateState();
        AssertSame(fresh, copy);
        executor.Prefill([1, 2], copy, found);
        executor.Prefill([1, 2], fresh, expected);
        AssertSame(expected, found);
    }

    [Test]
    public void Of_states_what_is_wrong_is_refused_and_changes_nothing()
    {
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(Shapes[0], 13)), other = Create(MambaLanguageModel.Create(Shapes[1], 13));
        using SequenceState state = executor.CreateState(), before = executor.CreateState(), foreign = other.CreateState();
        executor.Prefill([1, 2, 3], state, new float[40]);
        before.CopyFrom(state);
        float[] values = Exported(state);
        Assert.Multiple(() =>
        {
            Assert.That(() => state.Import(values, -1), Throws.InstanceOf<ArgumentException>());
            Assert.That(() => state.Import(values.AsSpan(1), 3), Throws.ArgumentException);
            Assert.That(() => state.Export(new float[values.Length + 1]), Throws.ArgumentException);
            Assert.That(() => state.CopyFrom(foreign), Throws.ArgumentException);
            Assert.That(() => state.CopyFrom(null!), Throws.ArgumentNullException);
        });
        state.Import(values, long.MaxValue - 1);
        Assert.That(() => executor.Run([1, 2], [new(state, 2, LogitRows.None)], []), Throws.ArgumentException);
        Assert.That(state.Position, Is.EqualTo(long.MaxValue - 1));
        state.Import(values, 3);
        AssertSame(before, state);
        state.Dispose();
        state.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(() => state.Export(values), Throws.TypeOf<ObjectDisposedException>());
            Assert.That(() => state.Import(values, 3), Throws.TypeOf<ObjectDisposedException>());
            Assert.That(state.Clear, Throws.TypeOf<ObjectDisposedException>());
            Assert.That(() => before.CopyFrom(state), Throws.TypeOf<ObjectDisposedException>());
        });
    }

    [Test]
    public void A_disposed_executor_refuses()
    {
        IMambaExecutor executor = Create(MambaLanguageModel.Create(Shapes[0], 14));
        using SequenceState state = executor.CreateState();
        executor.Dispose();
        executor.Dispose();
        Assert.That(() => executor.Prefill([1], state, new float[40]), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(executor.CreateState, Throws.TypeOf<ObjectDisposedException>());
        Assert.That(state.Position, Is.Zero);
    }

    [Test]
    public void An_executor_disposed_during_calls_ends_them_and_leaves_states_whole([Values(1, 1000)] int length)
    {
        MambaConfig config = Shapes[0];
        MambaLanguageModel model = MambaLanguageModel.Create(config, 15);
        int[] tokens = Tokens(config, length);
        for (int round = 0; round < 10; round++)
        {
            IMambaExecutor executor = Create(model);
            using SequenceState state = executor.CreateState();
            Exception? seen = null;
            Thread caller = new(() => seen = Assert.Catch(() => Repeat(executor, tokens, state))) { IsBackground = true };
            caller.Start();
            Thread.Sleep(round);
            executor.Dispose();
            Assert.That(caller.Join(TimeSpan.FromSeconds(20)), "a call does not return after its executor was disposed");
            Assert.That(seen, Is.TypeOf<ObjectDisposedException>());
            Assert.That(state.Position % length, Is.Zero, "half a prompt");
        }
    }

    [Test]
    public void A_state_disposed_during_calls_ends_them()
    {
        MambaConfig config = Shapes[0];
        using IMambaExecutor executor = Create(MambaLanguageModel.Create(config, 16));
        for (int round = 0; round < 10; round++)
        {
            SequenceState state = executor.CreateState();
            Exception? seen = null;
            Thread caller = new(() => seen = Assert.Catch(() => Repeat(executor, Tokens(config, 20), state))) { IsBackground = true };
            caller.Start();
            Thread.Sleep(round);
            state.Dispose();
            Assert.That(caller.Join(TimeSpan.FromSeconds(20)), "a call does not return after its state was disposed");
            Assert.That(seen, Is.TypeOf<ObjectDisposedException>());
        }
    }

    protected static int[] Tokens(MambaConfig config, int count)
    {
        Random random = new(count);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(config.VocabSize))];
    }

    protected static void AssertSame(SequenceState expected, SequenceState found)
    {
        Assert.That(found.Position, Is.EqualTo(expected.Position));
        AssertSame(Exported(expected), Exported(found));
    }

    protected static void AssertSame(float[] expected, float[] found)
    {
        Assert.That(expected, Has.None.NaN);
        Assert.That(found.Select(BitConverter.SingleToUInt32Bits), Is.EqualTo(expected.Select(BitConverter.SingleToUInt32Bits)));
    }

    /// <summary>That two states are equal, within <see cref="Spread"/>.</summary>
    private void AssertEqual(SequenceState expected, SequenceState found)
    {
        Assert.That(found.Position, Is.EqualTo(expected.Position));
        AssertEqual(Exported(expected), Exported(found));
    }

    private void AssertEqual(float[] expected, float[] found)
    {
        if (Spread == 0)
        {
            AssertSame(expected, found);
        }
        else
        {
            AssertNear(expected, found, Spread);
        }
    }

    private static float[] Exported(SequenceState state)
    {
        float[] values = new float[state.Layout.Length(state.Position)];
        state.Export(values);
        return values;
    }

    private static void Repeat(IMambaExecutor executor, int[] tokens, SequenceState state)
    {
        float[] logits = new float[executor.Config.VocabSize];
        while (true)
        {
            executor.Prefill(tokens, state, logits);
        }
    }

    private void AssertNear(float[] expected, float[] found) => AssertNear(expected, found, Tolerance);

    private static void AssertNear(float[] expected, float[] found, double tolerance) =>
        Assert.That(found, Is.EqualTo(expected).Within(tolerance * expected.Select(Math.Abs).DefaultIfEmpty().Max()));

    /// <summary>Passes calls on, and does something after the first pass.</summary>
    private sealed class Interrupted(IMambaExecutor inner, Action after) : IMambaExecutor
    {
        public MambaConfig Config => inner.Config;

        public ModelFingerprint Fingerprint => inner.Fingerprint;

        public int MaxRows => inner.MaxRows;

        public SequenceState CreateState() => inner.CreateState();

        public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits)
        {
            inner.Run(tokens, batch, logits);
            after();
        }

        public void Dispose()
        {
        }
    }
}
