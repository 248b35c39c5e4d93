using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Generation;

/// <summary>Sessions as values: what they wait for, forks, files; and what they take in memory.</summary>
public sealed class GenerationSessionTests : IDisposable
{
    private static readonly MambaConfig Config = new() { DModel = 16, NLayer = 2, VocabSize = 64, InitializerRange = 1, TieEmbeddings = false };
    private static readonly GenerationOptions Penalized = new() { Seed = 3, TopP = 0.9f, RepetitionPenalty = 1.2f, FrequencyPenalty = 0.5f };

    private readonly CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
    private readonly Sampler sampler = new(Penalized, 64);
    private readonly SamplerScratch scratch = new(64);
    private readonly float[] logits = new float[64];

    public void Dispose() => executor.Dispose();

    [Test]
    public void A_session_says_what_it_waits_for()
    {
        using GenerationSession session = Create();
        Assert.That(() => session.Accept(logits, sampler, scratch), Throws.InvalidOperationException.With.Message.Contains("append"));
        session.Append([1, 2, 3]);
        Assert.That(session.Waiting.ToArray(), Is.EqualTo(new[] { 1, 2, 3 }));
        Assert.That(() => session.Accept(logits, sampler, scratch), Throws.InvalidOperationException.With.Message.Contains("has seen 0"));
        executor.Prefill(session.Waiting, session.State, logits);
        Assert.That(session.Waiting.ToArray(), Is.Empty);
        int token = session.Accept(logits, sampler, scratch);
        Assert.That(session.Waiting.ToArray(), Is.EqualTo(new[] { token }));
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(new[] { 1, 2, 3, token }));
    }

    [Test]
    public void A_session_takes_over_a_fork_that_went_on_and_refuses_one_that_parted()
    {
        using GenerationSession session = Create();
        session.Append([1, 2, 3]);
        executor.Prefill(session.Waiting, session.State, logits);
        using GenerationSession ahead = session.Fork(executor.CreateState()), parted = session.Fork(executor.CreateState());
        ahead.Accept(logits, sampler, scratch);
        ahead.Append([5, 6]);
        executor.Prefill(ahead.Waiting, ahead.State, logits);
        session.Merge(ahead);
        session.Merge(session);
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(ahead.Tokens.ToArray()));
        Assert.That(Exported(session), Is.EqualTo(Exported(ahead)));
        Assert.That(session.Waiting.IsEmpty);
        parted.Append([63, 62]);
        executor.Prefill(parted.Waiting, parted.State, logits);
        float[] before = Exported(parted);
        Assert.That(() => parted.Merge(session), Throws.InvalidOperationException.With.Message.Contains("parts from it at token 3").And.Message.Contains("append the tokens"));
        Assert.That(Exported(parted), Is.EqualTo(before));
        Assert.That(parted.Tokens.Length, Is.EqualTo(5));
        Assert.That(() => parted.Merge(null!), Throws.ArgumentNullException);

        static float[] Exported(GenerationSession session)
        {
            float[] values = new float[session.State.Layout.Length(0)];
            session.State.Export(values);
            return values;
        }
    }

    [Test]
    public void A_session_saved_as_float16_is_half_as_long_and_keeps_text_and_random_numbers()
    {
        using GenerationSession session = Create();
        session.Append([1, 2, 3]);
        executor.Prefill(session.Waiting, session.State, logits);
        using MemoryStream exact = new(), half = new();
        session.Save(exact, executor.Fingerprint);
        session.Save(half, executor.Fingerprint, ElementType.Float16);
        Assert.That(half.Length, Is.LessThan(exact.Length * 0.6));
        half.Position = 0;
        using GenerationSession restored = GenerationSession.Restore(half, executor.Fingerprint, executor.CreateState());
        Assert.That(restored.Tokens.ToArray(), Is.EqualTo(session.Tokens.ToArray()));
        float[] next = new float[64], expected = new float[64];
        executor.Prefill([4], restored.State, next);
        executor.Prefill([4], session.State, expected);
        float largest = expected.Max(Math.Abs);
        Assert.That(next, Is.EqualTo(expected).Within(largest * 1e-3f).And.Not.EqualTo(expected));
    }

    [Test]
    public void Wrong_arguments_are_refused()
    {
        using GenerationSession session = Create();
        Assert.That(() => session.Append([-1]), Throws.ArgumentException);
        session.Append([1]);
        executor.Prefill(session.Waiting, session.State, logits);
        Assert.That(() => session.Accept(logits.AsSpan(1), sampler, scratch), Throws.ArgumentException);
        using SequenceState ahead = executor.CreateState();
        executor.Prefill([1, 2, 3], ahead, logits);
        Assert.That(() => new GenerationSession(ahead, [1, 2]), Throws.ArgumentException.With.Message.Contains("has seen 3"));
        Assert.That(() => new GenerationSession(ahead, [1, 2, -3]), Throws.ArgumentException);
    }

    [Test]
    public void A_fork_draws_the_same_random_numbers_and_then_goes_its_own_way()
    {
        using GenerationSession session = Create();
        session.Append([5, 6, 7]);
        Take(session, 4);
        using GenerationSession fork = session.Fork(executor.CreateState());
        Assert.That(Take(fork, 20), Is.EqualTo(Take(session, 20)));
        fork.Append([1]);
        Assert.That(session.Tokens.Length + 1, Is.EqualTo(fork.Tokens.Length));
    }

    [TestCaseSource(typeof(SamplerTests), nameof(SamplerTests.Filters))]
    public void A_fork_draws_what_the_original_draws_with_any_options(GenerationOptions options)
    {
        Sampler own = new(options, 64), others = new(options, 64);
        using GenerationSession session = Create();
        session.Append([5, 6, 7]);
        Take(session, 3, with: own);
        using GenerationSession fork = session.Fork(executor.CreateState());
        Assert.That(Take(fork, 20, with: others), Is.EqualTo(Take(session, 20, with: own)));
    }

    [Test]
    public void Counts_follow_a_text_that_is_truncated()
    {
        GenerationOptions once = new() { Temperature = 0, RepetitionPenalty = 1000, FrequencyPenalty = 1000 };
        Sampler own = new(once, 64);
        using GenerationSession session = Create();
        session.Append([5, 6, 7]);
        int[] first = Take(session, 30, with: own);
        session.Withdraw(3);
        Assert.That(Take(session, 30, with: own), Is.EqualTo(first));
    }

    [Test]
    public void A_saved_session_goes_on_as_if_it_had_never_stopped([Values(0, 1, 9)] int generated, [Values] bool twoTurns)
    {
        using GenerationSession session = Create();
        session.Append([5, 6, 7]);
        Take(session, generated);
        if (twoTurns)
        {
            session.Append([9, 9]);
            Take(session, 3);
        }

        using MemoryStream file = new();
        session.Save(file, executor.Fingerprint);
        file.WriteByte(1);
        file.Position = 0;
        using CpuExecutor other = new(MambaLanguageModel.Create(Config, 1), 2);
        using GenerationSession restored = GenerationSession.Restore(file, other.Fingerprint, other.CreateState());
        Assert.That(file.Position, Is.EqualTo(file.Length - 1), "nothing is read beyond the session");
        Assert.That(restored.Tokens.ToArray(), Is.EqualTo(session.Tokens.ToArray()));
        Assert.That(restored.Seed, Is.EqualTo(session.Seed));
        Assert.That(Take(restored, 20, other), Is.EqualTo(Take(session, 20)));
    }

    [Test]
    public void A_damaged_session_is_refused()
    {
        using GenerationSession session = Create();
        session.Append([5, 6, 7]);
        Take(session, 4);
        byte[] whole = SavedSession.Encode(session);
        Random random = new(1);
        for (int round = 0; round < 2000; round++)
        {
            byte[] bytes = whole[..random.Next(whole.Length + 1)];
            for (int i = random.Next(3); i > 0 && bytes.Length > 0; i--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            try
            {
                GenerationSession read = SavedSession.Decode(bytes, session.State, session.State.Position);
                Assert.That(read.Waiting.Length, Is.LessThanOrEqualTo(read.Tokens.Length));
            }
            catch (InvalidDataException)
            {
            }
        }
    }

    [Test]
    public void A_thousand_sessions_take_little_beside_their_states()
    {
        const int Sessions = 1000, Vocabulary = 50280;
        using CpuExecutor large = new(MambaLanguageModel.Create(Config with { VocabSize = Vocabulary, DModel = 8, NLayer = 1 }, 1), 1);
        using SequenceState shared = large.CreateState();
        GenerationSession[] sessions = new GenerationSession[Sessions];
        int[] prompt = new int[1000];

        // What this thread allocates bounds what the sessions hold, and no other test disturbs it.
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Sessions; i++)
        {
            sessions[i] = new(shared);
            sessions[i].Append(prompt);
        }

        long each = (GC.GetAllocatedBytesForCurrentThread() - before) / Sessions;
        Assert.That(each, Is.LessThan(16 << 10));
    }

    private GenerationSession Create() => new(executor.CreateState(), seed: 3);

    private int[] Take(GenerationSession session, int count, IMambaExecutor? from = null, Sampler? with = null)
    {
        int[] taken = new int[count];
        Sampler own = with ?? new(Penalized, 64);
        foreach (ref int token in taken.AsSpan())
        {
            (from ?? executor).Prefill(session.Waiting, session.State, logits);
            token = session.Accept(logits, own, scratch);
        }

        return taken;
    }
}
