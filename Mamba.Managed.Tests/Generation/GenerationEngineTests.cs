using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Generation.Prefixes;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation;

/// <summary>Many requests at once: each as if alone, whatever others do; who comes first, who has to wait, who is refused. With a cache of prefixes and without.</summary>
[TestFixture(false)]
[TestFixture(true)]
public sealed class GenerationEngineTests(bool hasCache) : IDisposable
{
    private static readonly MambaConfig Config = new() { DModel = 16, NLayer = 2, VocabSize = 256, InitializerRange = 1, TieEmbeddings = false };

    private readonly CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
    private readonly ByteTokenizer bytes = new();
    private readonly List<PrefixCache> caches = [];

    public void Dispose()
    {
        caches.ForEach(cache => cache.Dispose());
        executor.Dispose();
    }

    [Test]
    public async Task Each_request_is_as_if_alone([Values(1, 3, 32)] int maxBatch, [Values(4, 64)] int maxRunning)
    {
        GenerationRequest[] requests = [.. Enumerable.Range(0, 24).Select(Random)];
        using GenerationEngine engine = Engine(executor, new() { MaxBatch = maxBatch, MaxRunning = maxRunning });
        using GenerationEngine other = new(executor, bytes);
        GenerationResult[] together = await Task.WhenAll(requests.Select(request => engine.GenerateAsync(request)));
        for (int i = 0; i < requests.Length; i++)
        {
            GenerationResult alone = await other.GenerateAsync(requests[i]), again = await engine.GenerateAsync(requests[i]);
            Assert.That(again.Tokens, Is.EqualTo(alone.Tokens), $"request {i}, a second time");
            Assert.That(together[i].Tokens, Is.EqualTo(alone.Tokens), $"request {i}");
            Assert.That(together[i].Text, Is.EqualTo(alone.Text));
        }
    }

    [Test]
    public async Task Each_request_is_as_if_alone_while_others_come_and_go()
    {
        GenerationRequest[] requests = [.. Enumerable.Range(0, 12).Select(Random)];
        using GenerationEngine engine = Engine(executor);
        GenerationResult[] alone = new GenerationResult[requests.Length];
        for (int i = 0; i < requests.Length; i++)
        {
            alone[i] = await engine.GenerateAsync(requests[i]);
        }

        await Parallel.ForAsync(0, 60, new ParallelOptions { MaxDegreeOfParallelism = 20 }, async (number, cancellation) =>
        {
            int i = number % requests.Length;
            using CancellationTokenSource canceled = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            int left = number % 3 == 0 ? number % 7 : int.MaxValue;
            List<int> tokens = [];
            try
            {
                // One that is given up is not read ahead: else it may have ended before.
                GenerationRequest request = left == int.MaxValue ? requests[i] : requests[i] with { ReadAhead = 0 };
                await foreach (GeneratedToken token in engine.Stream(request, canceled.Token))
                {
                    tokens.Add(token.Id);
                    if (tokens.Count > left)
                    {
                        if (number % 2 == 0)
                        {
                            break;
                        }

                        await canceled.CancelAsync();
                    }
                }
            }
            catch (OperationCanceledException)
            {
            }

            Assert.That(tokens, Is.EqualTo(alone[i].Tokens.Take(tokens.Count)));
            Assert.That(tokens, Has.Count.EqualTo(left == int.MaxValue ? alone[i].Tokens.Count : Math.Min(left + 1, alone[i].Tokens.Count)));
        });
        Assert.That(() => engine.Metrics.Running + engine.Metrics.Queued, Is.Zero.After(5000, 5));
        Assert.That(engine.Metrics.Canceled, Is.Positive);
    }

    [Test]
    public async Task Sessions_go_on_in_batches_as_alone()
    {
        using GenerationEngine engine = Engine(executor), other = Engine(executor);
        await Parallel.ForAsync(0, 8, async (i, cancellation) =>
        {
            using GenerationSession together = engine.CreateSession(seed: 5), single = other.CreateSession(seed: 5);
            for (int turn = 0; turn < 3; turn++)
            {
                GenerationRequest request = Random(i + (8 * turn)) with { Session = together };
                List<int> tokens = [];
                await foreach (GeneratedToken token in engine.Stream(request, cancellation))
                {
                    tokens.Add(token.Id);
                }

                GenerationResult alone = await other.GenerateAsync(request with { Session = single }, cancellation);
                Assert.That(tokens, Is.EqualTo(alone.Tokens));
                Assert.That(together.Tokens.ToArray(), Is.EqualTo(single.Tokens.ToArray()));
            }
        });
    }

    [Test]
    public async Task A_pass_has_one_token_of_each_text_and_as_much_of_prompts_as_time_allows()
    {
        WatchedExecutor watched = new(executor);
        watched.Before = tokens => Thread.Sleep(TimeSpan.FromMilliseconds(tokens.Length));
        using GenerationEngine engine = Engine(watched, new() { MaxDelay = TimeSpan.FromMilliseconds(40) });
        GenerationStream first = engine.Stream(Request("abc", 200));
        await using IAsyncEnumerator<GeneratedToken> reader = first.GetAsyncEnumerator();
        await reader.MoveNextAsync();
        await engine.GenerateAsync(Request(new string('x', 1000), 3));
        Assert.That(watched.Passes, Has.Some.Length.EqualTo(2), "both in one pass");
        Assert.That(watched.Passes.SelectMany(lengths => lengths).Max(), Is.InRange(8, 100), "a token takes a millisecond or a little more");
        Assert.That(watched.Passes.Where(lengths => lengths.Length == 2), Has.All.Some.EqualTo(1), "the first goes on while the prompt is read");
    }

    [Test]
    public async Task Tenants_share_the_engine_whatever_they_ask_for()
    {
        WatchedExecutor watched = new(executor) { Before = _ => Thread.Sleep(1) };
        using GenerationEngine engine = Engine(watched, new() { MaxBatch = 2 });
        Task[] many = [.. Enumerable.Range(0, 20).Select(_ => engine.GenerateAsync(Request("many", 60) with { Tenant = "many" }))];
        GenerationStream one = engine.Stream(Request("one", 60) with { Tenant = "one" });
        await foreach (GeneratedToken _ in one)
        {
        }

        Assert.That(many.Count(task => task.IsCompleted), Is.LessThan(8), "half the places of a pass are its own");
        await Task.WhenAll(many);
    }

    [Test]
    public async Task A_higher_priority_comes_first()
    {
        using SemaphoreSlim gate = new(0);
        WatchedExecutor watched = new(executor) { Before = _ => gate.Wait() };
        using GenerationEngine engine = Engine(watched, new() { MaxBatch = 1, MaxRunning = 1 });
        List<int> ended = [];
        Task<GenerationResult> first = engine.GenerateAsync(Request("a", 1));
        Task[] others = [.. new[] { 0, 5, 2 }.Select(async priority =>
        {
            await engine.GenerateAsync(Request("b", 1) with { Priority = priority });
            lock (ended)
            {
                ended.Add(priority);
            }
        })];
        gate.Release(4);
        await Task.WhenAll([first, .. others]);
        Assert.That(ended, Is.EqualTo(new[] { 5, 2, 0 }));
    }

    [Test]
    public async Task A_full_queue_refuses_and_says_when_to_come_back()
    {
        using SemaphoreSlim gate = new(0);
        WatchedExecutor watched = new(executor) { Before = _ => gate.Wait() };
        using GenerationEngine engine = Engine(watched, new() { MaxRunning = 1, MaxQueued = 2 });
        Task<GenerationResult> running = engine.GenerateAsync(Request("a", 1));
        Assert.That(() => engine.Metrics.Running, Is.EqualTo(1).After(5000, 1));
        Task<GenerationResult>[] queued = [engine.GenerateAsync(Request("a", 1)), engine.GenerateAsync(Request("a", 1))];
        Assert.That(
            async () => await engine.GenerateAsync(Request("a", 1)),
            Throws.TypeOf<QueueFullException>().With.Message.Contains("at most 2").And.Property(nameof(QueueFullException.RetryAfter)).GreaterThan(TimeSpan.Zero));
        using GenerationSession session = engine.CreateSession();
        Assert.That(async () => await engine.GenerateAsync(Request("a", 1) with { Session = session }), Throws.TypeOf<QueueFullException>());
        Assert.That(engine.Metrics, Has.Property(nameof(EngineMetrics.Rejected)).EqualTo(2).And.Property(nameof(EngineMetrics.Queued)).EqualTo(2));
        gate.Release(10);
        await Task.WhenAll([running, .. queued]);
        Assert.That((await engine.GenerateAsync(Request("a", 1) with { Session = session })).Tokens, Has.Count.EqualTo(1), "a refused request leaves its session free");
    }

    [Test]
    public async Task A_request_ends_at_its_deadline_queued_or_running()
    {
        WatchedExecutor watched = new(executor) { Before = _ => Thread.Sleep(5) };
        using GenerationEngine engine = Engine(watched, new() { MaxRunning = 1 });
        GenerationStream running = engine.Stream(Request("a", 100_000) with { Deadline = TimeSpan.FromMilliseconds(300) });
        Task<GenerationResult> Queued() => engine.GenerateAsync(Request("a", 1) with { Deadline = TimeSpan.FromMilliseconds(50) });
        int tokens = 0;
        Assert.That(
            async () =>
            {
                await foreach (GeneratedToken _ in running)
                {
                    tokens += 1;
                    if (tokens == 1)
                    {
                        Assert.That(async () => await Queued(), Throws.TypeOf<TimeoutException>());
                    }
                }
            },
            Throws.TypeOf<TimeoutException>().With.Message.Contains("allow more time"));
        Assert.That(tokens, Is.GreaterThan(1));
        Assert.That(running.Usage with { Prefix = default }, Is.EqualTo(new GenerationUsage(1, tokens)));
        Assert.That(engine.Metrics.Expired, Is.EqualTo(2));
        await engine.GenerateAsync(Request("a", 1));
    }

    [Test]
    public async Task A_canceled_request_ends_at_once_and_says_what_it_used()
    {
        using SemaphoreSlim gate = new(3);
        WatchedExecutor watched = new(executor) { Before = _ => gate.Wait() };
        using GenerationEngine engine = Engine(watched);
        using CancellationTokenSource source = new();
        GenerationStream stream = engine.Stream(Request("abcd", 50), source.Token);
        await using IAsyncEnumerator<GeneratedToken> reader = stream.GetAsyncEnumerator();
        for (int i = 0; i < 3; i++)
        {
            Assert.That(await reader.MoveNextAsync());
        }

        ValueTask<bool> next = reader.MoveNextAsync();
        await source.CancelAsync();
        Assert.That(async () => await next, Throws.InstanceOf<OperationCanceledException>(), "while a pass is running");
        Assert.That(stream.Usage with { Prefix = default }, Is.EqualTo(new GenerationUsage(4, 3)));
        gate.Release(100);
    }

    [Test]
    public async Task A_session_that_is_canceled_in_mid_pass_loses_nothing()
    {
        using GenerationSession whole = new(executor.CreateState(), seed: 1), session = new(executor.CreateState(), seed: 1);
        using SemaphoreSlim gate = new(3);
        WatchedExecutor watched = new(executor) { Before = _ => gate.Wait() };
        using GenerationEngine engine = Engine(watched), free = Engine(executor);
        GenerationResult expected = await free.GenerateAsync(Request("abcd", 50) with { Session = whole });
        using CancellationTokenSource source = new();
        string text = "";
        Task reading = ReadAsync();
        Assert.That(() => engine.Metrics.Passes, Is.EqualTo(3).After(5000, 1));
        Task canceling = source.CancelAsync();
        gate.Release(100);
        await canceling;
        Assert.That(async () => await reading, Throws.InstanceOf<OperationCanceledException>());
        GenerationResult rest = await free.GenerateAsync(Request("", 50 + 4 - session.Tokens.Length) with { Session = session });
        Assert.That(text + rest.Text, Is.EqualTo(expected.Text));
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(whole.Tokens.ToArray()));

        async Task ReadAsync()
        {
            await foreach (GeneratedToken token in engine.Stream(Request("abcd", 50) with { Session = session }, source.Token))
            {
                text += token.Text;
            }
        }
    }

    [Test]
    public async Task What_was_generated_ahead_is_read_by_the_next_stream([Values(0, 1, 5)] int ahead)
    {
        using GenerationEngine engine = Engine(executor);
        using GenerationSession whole = engine.CreateSession(seed: 1), session = engine.CreateSession(seed: 1);
        GenerationResult expected = await engine.GenerateAsync(Request("abcd", 40) with { Session = whole });
        string text = "";
        int read = 0;
        await foreach (GeneratedToken token in engine.Stream(Request("abcd", 40) with { Session = session, ReadAhead = ahead }))
        {
            text += token.Text;
            if (++read == 9)
            {
                await Task.Delay(50);
                break;
            }
        }

        Assert.That(session.Tokens.Length - 4 - read, Is.EqualTo(ahead));
        text += (await engine.GenerateAsync(Request("", 40 - read - ahead) with { Session = session })).Text;
        Assert.That(text, Is.EqualTo(expected.Text));
    }

    [Test]
    public async Task A_device_that_fails_ends_the_requests_of_its_pass_and_the_engine_goes_on()
    {
        bool fails = false;
        WatchedExecutor watched = new(executor) { Before = _ => Fail(fails) };
        using GenerationEngine engine = Engine(watched);
        using GenerationSession session = engine.CreateSession(seed: 2), twin = engine.CreateSession(seed: 2);
        await engine.GenerateAsync(Request("Some text", 5) with { Session = session });
        await engine.GenerateAsync(Request("Some text", 5) with { Session = twin });
        int[] before = session.Tokens.ToArray();
        fails = true;
        Task<GenerationResult>[] failing = [engine.GenerateAsync(Request("a", 5)), engine.GenerateAsync(Request("more", 5) with { Session = session })];
        foreach (Task<GenerationResult> task in failing)
        {
            Assert.That(async () => await task, Throws.InvalidOperationException.With.Message.EqualTo("a device that fails"));
        }

        fails = false;
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(before));
        Assert.That(engine.Metrics.Failed, Is.EqualTo(2));
        GenerationResult expected = await engine.GenerateAsync(Request(" and", 5) with { Session = twin });
        Assert.That((await engine.GenerateAsync(Request(" and", 5) with { Session = session })).Tokens, Is.EqualTo(expected.Tokens));

        static void Fail(bool now)
        {
            if (now)
            {
                throw new InvalidOperationException("a device that fails");
            }
        }
    }

    [Test]
    public async Task A_session_of_another_model_or_that_was_disposed_fails_alone()
    {
        using CpuExecutor other = new(MambaLanguageModel.Create(Config with { DModel = 24 }, 1), 1);
        using SemaphoreSlim gate = new(0);
        WatchedExecutor watched = new(executor) { Before = _ => gate.Wait() };
        using GenerationEngine engine = Engine(watched), free = Engine(executor);
        using GenerationSession foreign = new(other.CreateState());
        GenerationSession disposed = engine.CreateSession();
        Task<GenerationResult> first = engine.GenerateAsync(Request("gate", 1));
        Task<GenerationResult> bad = engine.GenerateAsync(Request("bad", 9) with { Session = foreign }), gone = engine.GenerateAsync(Request("gone", 9) with { Session = disposed });
        Task<GenerationResult> good = engine.GenerateAsync(Request("good", 9));
        disposed.Dispose();
        gate.Release(1000);
        Assert.That(async () => await bad, Throws.ArgumentException);
        Assert.That(async () => await gone, Throws.TypeOf<ObjectDisposedException>());
        Assert.That((await good).Tokens, Is.EqualTo((await free.GenerateAsync(Request("good", 9))).Tokens));
        await first;
    }

    [Test]
    public async Task Callers_threads_stay_free_while_the_model_computes()
    {
        WatchedExecutor watched = new(executor) { Before = _ => Thread.Sleep(50) };
        using GenerationEngine engine = Engine(watched);
        using CancellationTokenSource end = new();
        Task[] streams = [.. Enumerable.Range(0, 64).Select(async _ => await engine.GenerateAsync(Request("a", 8)))];
        Assert.That(ThreadPool.PendingWorkItemCount, Is.LessThan(64));
        Task all = Task.WhenAll(streams);
        int ticks = 0;
        while (!all.IsCompleted)
        {
            await Task.Delay(10);
            ticks++;
        }

        await all;
        Assert.That(ticks, Is.GreaterThan(10), "timers fire while passes run");
    }

    [Test]
    public async Task An_engine_that_drains_takes_no_more_and_ends_what_it_has()
    {
        WatchedExecutor watched = new(executor) { Before = _ => Thread.Sleep(1) };
        using GenerationEngine engine = Engine(watched, new() { MaxRunning = 2 });
        Task<GenerationResult>[] tasks = [.. Enumerable.Range(0, 6).Select(_ => engine.GenerateAsync(Request("a", 20)))];
        Task draining = engine.DrainAsync();
        Assert.That(async () => await engine.GenerateAsync(Request("a", 1)), Throws.TypeOf<ObjectDisposedException>());
        await draining;
        Assert.That(() => tasks, Has.All.Property(nameof(Task.IsCompleted)).True.After(1000, 5));
        Assert.That((await Task.WhenAll(tasks)).Select(result => result.Tokens.Count), Has.All.EqualTo(20));
    }

    [Test]
    public void An_engine_that_is_disposed_ends_its_requests()
    {
        WatchedExecutor watched = new(executor) { Before = _ => Thread.Sleep(5) };
        GenerationEngine engine = Engine(watched, new() { MaxRunning = 2 });
        Task<GenerationResult>[] tasks = [.. Enumerable.Range(0, 4).Select(_ => engine.GenerateAsync(Request("a", 100_000)))];
        engine.Dispose();
        engine.Dispose();
        foreach (Task<GenerationResult> task in tasks)
        {
            Assert.That(async () => await task, Throws.TypeOf<ObjectDisposedException>());
        }

        Assert.That(() => engine.Stream(Request("a", 1)), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void Wrong_requests_are_refused_before_they_are_queued()
    {
        using GenerationEngine engine = Engine(executor);
        Assert.That(() => engine.Stream(null!), Throws.ArgumentNullException);
        Assert.That(() => engine.Stream(new(new int[] { 256 })), Throws.InstanceOf<ArgumentException>().With.Message.Contains("256"));
        Assert.That(() => engine.Stream(new(new int[] { -1 })), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => engine.Stream(new(Array.Empty<int>())), Throws.ArgumentException.With.Message.Contains("empty text"));
        Assert.That(() => engine.Stream(Request("a", 0)), Throws.ArgumentException.With.Message.Contains("MaxTokens"));
        Assert.That(() => engine.Stream(Request("a", 1) with { Deadline = TimeSpan.Zero }), Throws.ArgumentException.With.Message.Contains("Deadline"));
        Assert.That(() => engine.Stream(Request("a", 1) with { ReadAhead = -1 }), Throws.ArgumentException.With.Message.Contains("ReadAhead"));
        Assert.That(() => engine.Stream(Request("a", 1) with { Tenant = null! }), Throws.ArgumentNullException);
        Assert.That(() => new GenerationEngine(executor, bytes, new() { MaxBatch = 0 }), Throws.ArgumentException.With.Message.Contains("MaxBatch"));
        Assert.That(() => new GenerationEngine(executor, bytes, new() { MaxRunning = 0 }), Throws.ArgumentException);
        Assert.That(() => new GenerationEngine(executor, bytes, new() { MaxQueued = -1 }), Throws.ArgumentException);
        Assert.That(() => new GenerationEngine(executor, bytes, new() { MaxDelay = TimeSpan.Zero }), Throws.ArgumentException);
    }

    private GenerationEngine Engine(IMambaExecutor driven, EngineOptions? options = null)
    {
        if (hasCache)
        {
            // Small, and states close together, so that much is found and much makes room. Prompts of a few tokens still take one pass.
            caches.Add(new(new() { MemoryBytes = 200_000, Interval = 8, LeastTokens = 8 }));
        }

        return new(driven, bytes, (options ?? new()) with { Prefixes = caches.LastOrDefault() });
    }

    private GenerationRequest Request(string text, int tokens) => new(bytes.Encode(text)) { Options = new() { MaxTokens = tokens, Seed = 9 } };

    private static GenerationRequest Random(int seed)
    {
        Random random = new(seed);
        int[] prompt = [.. Enumerable.Range(0, random.Next(1, seed % 5 == 0 ? 700 : 40)).Select(_ => random.Next(256))];
        return new(prompt)
        {
            Options = new()
            {
                MaxTokens = random.Next(1, 30), Seed = (ulong)seed, Temperature = random.Next(2), TopP = random.Next(2) == 0 ? 1 : 0.9f,
                RepetitionPenalty = random.Next(2) == 0 ? 1 : 1.3f, Stop = random.Next(2) == 0 ? [] : ["e", "th"], LogProbs = random.Next(3) == 0 ? 2 : null,
            },
            Tenant = (seed % 3).ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
    }
}
