using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Generation.Prefixes;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation.Prefixes;

/// <summary>Requests that start from states of others: the same bits, as many tokens saved as can be, and the reason where none are.</summary>
public sealed class PrefixCacheTests : IDisposable
{
    private static readonly MambaConfig Config = new() { DModel = 16, NLayer = 2, VocabSize = 256, InitializerRange = 1, TieEmbeddings = false };

    private readonly CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
    private readonly ByteTokenizer bytes = new();

    public void Dispose() => executor.Dispose();

    [Test]
    public async Task Random_requests_are_the_same_bits_with_a_cache_and_without([Values(1, 2, 3, 4, 5, 6)] int seed, [Values(30_000, 100_000, 10_000_000)] int budget)
    {
        using PrefixCache cache = new(new() { MemoryBytes = budget, Interval = 1 + (seed * 7), LeastTokens = seed });
        using GenerationEngine plain = new(executor, bytes);
        using GenerationEngine first = Engine(cache), second = Engine(cache, 2);
        Random random = new(seed);
        List<int[]> texts = [[1, 2, 3]];
        long hits = 0;
        for (int round = 0; round < 15; round++)
        {
            GenerationRequest[] requests = [.. Enumerable.Range(0, 6).Select(_ => Extend(random, texts))];
            GenerationResult[] found = await Task.WhenAll(requests.Select((request, i) => (i % 2 == 0 ? first : second).GenerateAsync(request)));
            for (int i = 0; i < requests.Length; i++)
            {
                GenerationResult expected = await plain.GenerateAsync(requests[i]);
                AssertSame(found[i], expected);
                hits += found[i].Summary.Prefix.Outcome == PrefixOutcome.Hit ? 1 : 0;
                Assert.That(found[i].Summary.Prefix.CachedTokens, Is.LessThan(requests[i].Prompt.Length).And.LessThanOrEqualTo(found[i].Summary.Prefix.SharedTokens));
                texts.Add([.. requests[i].Prompt.Span, .. expected.Tokens]);
            }

            Assert.That(cache.Metrics.Bytes, Is.LessThanOrEqualTo(budget));
        }

        PrefixCounts one = first.Metrics.Prefixes, other = second.Metrics.Prefixes;
        Assert.That(one.Hits + other.Hits, Is.EqualTo(hits));
        Assert.That(budget < 1_000_000 || hits > 0, "a large budget saves tokens");
        Assert.That(one.Hits + one.Parted + one.NeverStored + one.Evicted + one.OtherModel, Is.LessThanOrEqualTo(45));
        Assert.That(budget > 1_000_000 || cache.Metrics.Evicted > 0, "a small budget is used up");
    }

    [Test]
    public async Task Random_sessions_are_the_same_bits_with_a_cache_and_without([Range(1, 8)] int seed)
    {
        using PrefixCache cache = new(new() { MemoryBytes = 60_000, Interval = 16, LeastTokens = 3 });
        using GenerationEngine plain = new(executor, bytes), engine = Engine(cache);
        await Parallel.ForAsync(0, 6, async (number, cancellation) =>
        {
            Random random = new((seed * 100) + (number / 2));
            using GenerationSession session = engine.CreateSession(7), expected = plain.CreateSession(7);
            for (int turn = 0; turn < 6; turn++)
            {
                GenerationRequest request = Request(new string((char)('a' + random.Next(3)), random.Next(1, 60)), random.Next(1, 20), stop: random.Next(2) == 0);
                if (random.Next(4) == 0)
                {
                    await LeaveEarlyAsync(engine, session, request);
                    await LeaveEarlyAsync(plain, expected, request);
                    Assert.That(session.Tokens.ToArray(), Is.EqualTo(expected.Tokens.ToArray()));
                    continue;
                }

                if (random.Next(4) == 0)
                {
                    session.Rewind();
                    expected.Rewind();
                }

                AssertSame(await engine.GenerateAsync(request with { Session = session }, cancellation), await plain.GenerateAsync(request with { Session = expected }, cancellation));
                Assert.That(session.Tokens.ToArray(), Is.EqualTo(expected.Tokens.ToArray()));
            }
        });
        Assert.That(cache.Metrics.Stored, Is.Positive);

        static async Task LeaveEarlyAsync(GenerationEngine engine, GenerationSession session, GenerationRequest request)
        {
            int left = 2;
            await foreach (GeneratedToken _ in engine.Stream(request with { Session = session }))
            {
                if (--left == 0)
                {
                    break;
                }
            }
        }
    }

    [Test]
    public async Task A_prompt_seen_before_needs_its_last_token_only()
    {
        using PrefixCache cache = new();
        WatchedExecutor watched = new(executor);
        using GenerationEngine engine = new(watched, bytes, new() { Prefixes = cache });
        int[] prompt = Tokens(8192, 1);
        GenerationResult first = await engine.GenerateAsync(new(prompt) { Options = new() { MaxTokens = 1, Seed = 1 } });
        watched.Passes.Clear();
        GenerationResult second = await engine.GenerateAsync(new(prompt) { Options = new() { MaxTokens = 1, Seed = 1 } });
        Assert.That(watched.Passes, Is.EqualTo(new int[][] { [1] }));
        Assert.That(second.Summary.Prefix, Is.EqualTo(new PrefixUse(PrefixOutcome.Hit, 8191, 8191)));
        Assert.That(first.Summary.Prefix, Is.EqualTo(new PrefixUse(PrefixOutcome.NeverStored, 0, 0)));
        AssertSame(second, first);
        Assert.That(cache.Metrics.States, Is.EqualTo(8), "7 of the interval, and the end");
        Assert.That(engine.Metrics.Prefixes.CachedTokens, Is.EqualTo(8191));
        Assert.That(engine.Metrics.PrefixCache, Is.EqualTo(cache.Metrics));
    }

    [Test]
    public async Task A_conversation_that_is_sent_again_starts_where_its_last_answer_ended()
    {
        using PrefixCache cache = new();
        using GenerationEngine engine = Engine(cache);
        int[] text = Tokens(100, 1);
        for (int turn = 0; turn < 4; turn++)
        {
            GenerationResult answer = await engine.GenerateAsync(new(text) { Options = new() { MaxTokens = 50, Seed = 1 } });
            Assert.That(answer.Summary.Prefix.CachedTokens, Is.EqualTo(turn == 0 ? 0 : text.Length - 21));
            text = [.. text, .. answer.Tokens, .. Tokens(20, turn)];
        }
    }

    [Test]
    public async Task Where_two_prompts_part_is_kept_for_the_third()
    {
        using PrefixCache cache = new();
        using GenerationEngine engine = Engine(cache);
        int[] system = Tokens(500, 1);
        PrefixUse[] uses = new PrefixUse[3];
        for (int i = 0; i < uses.Length; i++)
        {
            GenerationResult result = await engine.GenerateAsync(new((int[])[.. system, i, .. Tokens(20, i)]) { Options = new() { MaxTokens = 1, Seed = 1 } });
            uses[i] = result.Summary.Prefix;
        }

        Assert.That(uses, Is.EqualTo(new PrefixUse[] { new(PrefixOutcome.NeverStored, 0, 0), new(PrefixOutcome.Parted, 0, 500), new(PrefixOutcome.Hit, 500, 500) }));
        Assert.That(engine.Metrics.Prefixes, Is.EqualTo(new PrefixCounts { CachedTokens = 500, Hits = 1, NeverStored = 1, Parted = 1 }));
    }

    [Test]
    public async Task What_saves_least_and_was_not_used_makes_room_and_the_miss_says_so()
    {
        long one = StateBytes();
        using PrefixCache cache = new(new() { MemoryBytes = (4 * one) + 20_000 });
        using GenerationEngine engine = Engine(cache);
        int[] shared = Tokens(400, 1), once = Tokens(40, 2);
        await Feed(shared);
        await Feed(once);
        await Feed(shared);
        for (int i = 0; i < 6; i++)
        {
            await Feed(Tokens(200, 10 + i));
        }

        Assert.That((await Feed(shared)).Outcome, Is.EqualTo(PrefixOutcome.Hit));
        Assert.That((await Feed(once)).Outcome, Is.EqualTo(PrefixOutcome.Evicted));
        Assert.That(engine.Metrics.Prefixes.Evicted, Is.EqualTo(1));

        async Task<PrefixUse> Feed(int[] prompt) => (await engine.GenerateAsync(new(prompt) { Options = new() { MaxTokens = 1, Seed = 1 } })).Summary.Prefix;
    }

    [Test]
    public async Task What_is_used_no_more_grows_old()
    {
        using PrefixCache cache = new(new() { MemoryBytes = (3 * StateBytes()) + 20_000 });
        using GenerationEngine engine = Engine(cache);
        int[] popular = Tokens(400, 1);
        for (int i = 0; i < 5; i++)
        {
            await engine.GenerateAsync(new(popular) { Options = new() { MaxTokens = 1 } });
        }

        for (int i = 0; i < 100; i++)
        {
            await engine.GenerateAsync(new(Tokens(200, 10 + i)) { Options = new() { MaxTokens = 1 } });
        }

        Assert.That((await engine.GenerateAsync(new(popular) { Options = new() { MaxTokens = 1 } })).Summary.Prefix.CachedTokens, Is.Zero);
    }

    [Test]
    public async Task A_cache_is_one_model_s()
    {
        using PrefixCache cache = new();
        using CpuExecutor otherModel = new(MambaLanguageModel.Create(Config, 2), 1);
        using GenerationEngine engine = Engine(cache), other = new(otherModel, bytes, new() { Prefixes = cache }), plain = new(otherModel, bytes);
        GenerationRequest request = Request(new string('x', 100), 5);
        await engine.GenerateAsync(request);
        GenerationResult found = await other.GenerateAsync(request);
        Assert.That(found.Summary.Prefix.Outcome, Is.EqualTo(PrefixOutcome.OtherModel));
        AssertSame(found, await plain.GenerateAsync(request));
        Assert.That(other.Metrics.Prefixes.OtherModel, Is.EqualTo(1));
    }

    [Test]
    public async Task What_a_session_brings_along_is_not_kept_for_others()
    {
        using PrefixCache cache = new();
        using GenerationEngine engine = Engine(cache);
        int[] text = Tokens(100, 1);
        using GenerationSession foreign = new(executor.CreateState(), text);
        float[] forged = new float[foreign.State.Layout.Length(0)];
        forged.AsSpan().Fill(0.5f);
        foreign.State.Import(forged, 100);
        await engine.GenerateAsync(Request(new string('a', 100), 40) with { Session = foreign });
        Assert.That(cache.Metrics.States, Is.Zero);
        using GenerationSession start = new(executor.CreateState());
        start.State.Import(forged, 0);
        await engine.GenerateAsync(Request(new string('a', 100), 40) with { Session = start });
        Assert.That(cache.Metrics.States, Is.Zero);
        using GenerationSession own = engine.CreateSession(1);
        await engine.GenerateAsync(Request(new string('a', 100), 40) with { Session = own });
        int states = cache.Metrics.States;
        Assert.That(states, Is.EqualTo(2));
        own.State.CopyFrom(foreign.State);
        own.Append(Tokens((int)own.State.Position, 3));
        await engine.GenerateAsync(Request(new string('a', 100), 40) with { Session = own });
        Assert.That(cache.Metrics.States, Is.EqualTo(states));
        foreign.Rewind();
        await engine.GenerateAsync(Request("", 1) with { Session = foreign });
        Assert.That(cache.Metrics.States, Is.GreaterThan(states), "read again from the beginning, it is the engine's own work");
    }

    [Test]
    public async Task Without_memory_it_is_off()
    {
        using PrefixCache cache = new(new() { MemoryBytes = 0 });
        using GenerationEngine engine = Engine(cache);
        for (int i = 0; i < 2; i++)
        {
            Assert.That((await engine.GenerateAsync(Request(new string('a', 100), 40))).Summary.Prefix, Is.Default);
        }

        Assert.That(cache.Metrics, Is.EqualTo(new PrefixCacheMetrics()));
    }

    [Test]
    public async Task An_engine_goes_on_when_its_cache_is_disposed()
    {
        PrefixCache cache = new();
        using GenerationEngine engine = Engine(cache);
        GenerationResult first = await engine.GenerateAsync(Request(new string('a', 100), 40));
        cache.Dispose();
        cache.Dispose();
        GenerationResult second = await engine.GenerateAsync(Request(new string('a', 100), 40));
        AssertSame(second, first);
        Assert.That(cache.Metrics.States, Is.Zero);
    }

    [Test]
    public void Options_out_of_range_are_named()
    {
        Assert.That(() => new PrefixCache(new() { MemoryBytes = -1 }), Throws.ArgumentException.With.Message.Contains("MemoryBytes"));
        Assert.That(() => new PrefixCache(new() { Interval = 0 }), Throws.ArgumentException.With.Message.Contains("Interval"));
        Assert.That(() => new PrefixCache(new() { LeastTokens = 0 }), Throws.ArgumentException.With.Message.Contains("LeastTokens"));
        Assert.That(() => new PrefixCache(new() { FolderBytes = 0 }), Throws.ArgumentException.With.Message.Contains("FolderBytes"));
        Assert.That(() => new PrefixCache(new() { Folder = "" }), Throws.ArgumentException.With.Message.Contains("Folder"));
    }

    internal static void AssertSame(GenerationResult found, GenerationResult expected)
    {
        Assert.That(found.Tokens, Is.EqualTo(expected.Tokens));
        Assert.That(found.Text, Is.EqualTo(expected.Text));
    }

    private static int[] Tokens(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(256))];
    }

    private static GenerationRequest Extend(Random random, List<int[]> texts)
    {
        int[] text = texts[random.Next(texts.Count)];
        int[] prompt = [.. text[..random.Next(1, text.Length + 1)], .. Enumerable.Range(0, random.Next(40)).Select(_ => random.Next(4))];
        return new(prompt)
        {
            Options = new()
            {
                MaxTokens = random.Next(1, 12), Seed = (ulong)random.Next(5), Temperature = random.Next(2), Stop = random.Next(3) == 0 ? ["e", "th"] : [],
                RepetitionPenalty = random.Next(2) == 0 ? 1 : 1.3f,
            },
        };
    }

    private long StateBytes()
    {
        using CpuState state = executor.CreateState();
        return state.ByteLength;
    }

    private GenerationEngine Engine(PrefixCache cache, int maxBatch = 32) => new(executor, bytes, new() { Prefixes = cache, MaxBatch = maxBatch });

    private GenerationRequest Request(string text, int tokens, bool stop = false) =>
        new(bytes.Encode(text)) { Options = new() { MaxTokens = tokens, Seed = 9, Stop = stop ? ["e", "th"] : [] } };
}
