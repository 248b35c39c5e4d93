using System.Text.Json;
using Mamba.Managed.Generation;
using Mamba.Managed.Generation.Prefixes;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions.Tests;

/// <summary>What services ask of any chat client.</summary>
public class ChatClientTests
{
    [Test]
    public async Task A_reply_comes_whole_with_all_that_belongs_to_it()
    {
        using Bed bed = new(_ => "The blue whale.");
        ChatResponse response = await bed.Client.GetResponseAsync("What's the biggest animal?");
        Assert.That(response.Text, Is.EqualTo("The blue whale."));
        Assert.That(bed.LastPrompt, Is.EqualTo("user: What's the biggest animal?\nassistant:"));
        Assert.That((response.FinishReason, response.ModelId, response.ConversationId), Is.EqualTo(((ChatFinishReason?)ChatFinishReason.Stop, "tiny", (string?)null)));
        Assert.That(response.ResponseId, Does.StartWith("resp_"));
        Assert.That(response.Messages.Single().MessageId, Does.StartWith("msg_"));
        Assert.That(response.Messages.Single().Role, Is.EqualTo(ChatRole.Assistant));
        Assert.That(response.CreatedAt, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
        Assert.That(response.RawRepresentation, Is.InstanceOf<GenerationSummary>());
        UsageDetails usage = response.Usage!;
        Assert.That((usage.InputTokenCount, usage.OutputTokenCount, usage.TotalTokenCount, usage.CachedInputTokenCount),
            Is.EqualTo((bed.LastPrompt.Length, "The blue whale.".Length + 1, bed.LastPrompt.Length + "The blue whale.".Length + 1, 0)));
        ChatResponse another = await bed.Client.GetResponseAsync("And the smallest?");
        Assert.That(another.ResponseId, Is.Not.EqualTo(response.ResponseId));
        Assert.That(another.Messages[0].MessageId, Is.Not.EqualTo(response.Messages[0].MessageId));
    }

    [Test]
    public async Task A_reply_comes_in_parts_that_make_the_whole()
    {
        using Bed bed = new(_ => "One small step, größer and 😀.");
        List<ChatMessage> history = [new(ChatRole.User, "Quote.")];
        List<ChatResponseUpdate> updates = await bed.Client.GetStreamingResponseAsync(history).ToListAsync();
        Assert.That(string.Concat(updates.Select(update => update.Text)), Is.EqualTo("One small step, größer and 😀."));
        Assert.That(updates, Has.Count.GreaterThan(10));
        Assert.That(updates.Select(update => (update.ResponseId, update.MessageId, update.ModelId, update.CreatedAt, update.Role)).Distinct().Count(), Is.EqualTo(1));
        Assert.That(updates.Where(update => update.FinishReason is not null), Is.EqualTo(updates.TakeLast(1)));
        UsageDetails usage = updates.SelectMany(update => update.Contents).OfType<UsageContent>().Single().Details;
        Assert.That(usage.TotalTokenCount, Is.EqualTo(usage.InputTokenCount + usage.OutputTokenCount));
        await history.AddMessagesAsync(updates.ToAsyncEnumerable());
        Assert.That(history[1].Contents.OfType<TextContent>().Single().Text, Is.EqualTo("One small step, größer and 😀."));
    }

    [Test]
    public async Task Messages_of_every_role_are_read_in_order()
    {
        using Bed bed = new(_ => "ok");
        await bed.Client.GetResponseAsync(
            [
                new(ChatRole.System, []), new(ChatRole.User, []), new(ChatRole.Assistant, []),
                new(ChatRole.User, "Pick a city"), new(ChatRole.Assistant, "Seattle"),
                new(ChatRole.User, [new TextContent("And "), new TextContent("another one")]),
            ],
            new() { Instructions = "Be brief." });
        Assert.That(bed.LastPrompt, Is.EqualTo("system: Be brief.\nuser: Pick a city\nassistant: Seattle\nuser: And another one\nassistant:"));
        await bed.Client.GetResponseAsync([new(ChatRole.System, "You are kind."), new(ChatRole.User, "Hi")], new() { Instructions = "Be brief." });
        Assert.That(bed.LastPrompt, Is.EqualTo("system: Be brief.\n\nYou are kind.\nuser: Hi\nassistant:"));
        Assert.That(async () => await bed.Client.GetResponseAsync([], new()), Throws.Nothing, "the plain template begins a text of nothing");
    }

    [Test]
    public async Task A_reply_ends_at_its_length_and_at_stop_sequences()
    {
        using Bed bed = new(_ => "one two three");
        ChatResponse cut = await bed.Client.GetResponseAsync("Count", new() { MaxOutputTokens = 5 });
        Assert.That((cut.Text, cut.FinishReason, cut.Usage!.OutputTokenCount), Is.EqualTo(("one t", (ChatFinishReason?)ChatFinishReason.Length, (long?)5)));
        ChatResponse stopped = await bed.Client.GetResponseAsync("Count", new() { StopSequences = [" three", "x"] });
        Assert.That((stopped.Text, stopped.FinishReason), Is.EqualTo(("one two", (ChatFinishReason?)ChatFinishReason.Stop)));
        using Bed base_ = new(_ => "hello\nuser: and what else?");
        Assert.That((await base_.Client.GetResponseAsync("Hi")).Text, Is.EqualTo("hello"), "a base model that speaks for the user");
    }

    [Test]
    public async Task What_was_read_before_is_not_read_again_and_usage_says_so()
    {
        using PrefixCache prefixes = new(new() { LeastTokens = 4, Interval = 16 });
        using Bed bed = new(engine: new() { Prefixes = prefixes }), without = new();
        ChatOptions options = new() { Temperature = 0, MaxOutputTokens = 10 };
        List<ChatMessage> history = [new(ChatRole.System, new string('a', 200)), new(ChatRole.User, "One")];
        ChatResponse first = await bed.Client.GetResponseAsync(history, options);
        Assert.That(first.Usage!.CachedInputTokenCount, Is.Zero);
        history[1] = new(ChatRole.User, "Two");
        ChatResponse second = await bed.Client.GetResponseAsync(history, options);
        Assert.That(second.Usage!.CachedInputTokenCount, Is.GreaterThan(150).And.LessThan(second.Usage.InputTokenCount!.Value));
        Assert.That(((PrefixUse)second.AdditionalProperties!["prefix_cache"]!).Outcome, Is.EqualTo(PrefixOutcome.Hit));
        Assert.That(second.Text, Is.EqualTo((await without.Client.GetResponseAsync(history, options)).Text));
        MambaEmbeddingGenerator generator = new(bed.Model, bed.Engine, Pooling.Mean), plain = new(without.Model, without.Engine, Pooling.Mean);
        string text = new('a', 300);
        await generator.GenerateAsync([text]);
        Assert.That((await generator.GenerateAsync([text]))[0].Vector.ToArray(), Is.EqualTo((await plain.GenerateAsync([text]))[0].Vector.ToArray()));
    }

    [Test]
    public async Task Options_reach_the_sampler_and_a_seed_gives_the_same_reply()
    {
        using Bed bed = new();
        async Task<string> Say(ChatOptions options) => (await bed.Client.GetResponseAsync("Hi", options)).Text;
        ChatOptions Seeded(long seed) => new() { Seed = seed, MaxOutputTokens = 40, Temperature = 2 };
        string one = await Say(Seeded(1));
        Assert.That(await Say(Seeded(1)), Is.EqualTo(one));
        Assert.That(await Say(Seeded(2)), Is.Not.EqualTo(one));
        string greedy = await Say(new() { Temperature = 0, MaxOutputTokens = 40 });
        Assert.That(await Say(new() { Temperature = 2, TopK = 1, MaxOutputTokens = 40 }), Is.EqualTo(greedy));
        Assert.That(await Say(new() { Temperature = 2, TopP = 1e-6f, MaxOutputTokens = 40 }), Is.EqualTo(greedy));
        Assert.That(await Say(new() { Temperature = 2, MaxOutputTokens = 40, AdditionalProperties = new() { ["min_p"] = 1.0 } }), Is.EqualTo(greedy));
        Assert.That(await Say(new() { Temperature = 0, FrequencyPenalty = 900, MaxOutputTokens = 40 }), Is.Not.EqualTo(greedy));
        Assert.That(await Say(new() { Temperature = 0, PresencePenalty = 900, MaxOutputTokens = 40 }), Is.Not.EqualTo(greedy));
        Assert.That(async () => await Say(new() { Temperature = -1 }), Throws.ArgumentException.With.Message.Contains("Temperature"));
        Assert.That(async () => await Say(new() { AdditionalProperties = new() { ["min_p"] = "much" } }), Throws.ArgumentException.With.Message.Contains("min_p"));
        Assert.That(await Say(new() { MaxOutputTokens = 3, AdditionalProperties = new() { ["stream_options"] = new Dictionary<string, object> { ["include_usage"] = true } } }), Is.Not.Null);
    }

    [Test]
    public async Task A_request_of_the_engine_may_be_given_to_begin_with()
    {
        using Bed bed = new(_ => "one two three");
        IChatClient? given = null;
        ChatOptions options = new()
        {
            RawRepresentationFactory = client =>
            {
                given = client;
                return new GenerationRequest(default) { Options = new() { MaxTokens = 6, LogProbs = 2 }, Tenant = "a" };
            },
        };
        List<ChatResponseUpdate> updates = await bed.Client.GetStreamingResponseAsync("Count", options).ToListAsync();
        Assert.That(string.Concat(updates), Is.EqualTo("one tw"));
        Assert.That(given, Is.SameAs(bed.Client));
        Assert.That(((GeneratedToken)updates[0].RawRepresentation!).Top, Has.Count.EqualTo(2));
        Assert.That((await bed.Client.GetResponseAsync("Count", new() { MaxOutputTokens = 2, RawRepresentationFactory = options.RawRepresentationFactory })).Text, Is.EqualTo("on"));
        Assert.That(async () => await bed.Client.GetResponseAsync("x", new() { RawRepresentationFactory = _ => 1 }), Throws.ArgumentException.With.Message.Contains("Int32"));
        Assert.That(async () => await bed.Client.GetResponseAsync("x", new() { RawRepresentationFactory = _ => new GenerationRequest(new[] { 1 }) }), Throws.ArgumentException);
    }

    [Test]
    public void What_a_model_of_text_cannot_read_is_refused_by_name()
    {
        using Bed bed = new(_ => "ok");
        Assert.That(async () => await bed.Client.GetResponseAsync([new(ChatRole.User, [new TextContent("What is this?"), new DataContent(new byte[] { 1 }, "image/png")])]),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("image/png"));
        Assert.That(async () => await bed.Client.GetResponseAsync("x", new() { Tools = [new HostedWebSearchTool()] }),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains("HostedWebSearchTool"));
        Assert.That(async () => await bed.Client.GetResponseAsync("x", new() { ModelId = "other" }), Throws.ArgumentException.With.Message.Contains("other"));
        Assert.That(() => bed.Client.GetStreamingResponseAsync(null!), Throws.ArgumentNullException);
    }

    [Test]
    public void Services_behind_the_client_are_found()
    {
        using Bed bed = new();
        ChatClientMetadata metadata = bed.Client.GetRequiredService<ChatClientMetadata>();
        Assert.That((metadata.ProviderName, metadata.DefaultModelId), Is.EqualTo(("mamba", "tiny")));
        using IChatClient pipeline = bed.Client.AsBuilder().UseFunctionInvocation().UseOpenTelemetry().Build();
        Assert.That(pipeline.GetService<GenerationEngine>(), Is.SameAs(bed.Engine));
        Assert.That(pipeline.GetService<MambaModel>(), Is.SameAs(bed.Model));
        Assert.That(pipeline.GetService<MambaChatClient>(), Is.SameAs(bed.Client));
        Assert.That(bed.Client.GetService<string>(), Is.Null);
        Assert.That(bed.Client.GetService(typeof(IChatClient), "key"), Is.Null);
    }

    [Test]
    public async Task Many_threads_may_use_one_client()
    {
        using Bed bed = new();
        string Expected(int i) => bed.Client.GetResponseAsync($"Number {i}", new() { Seed = i, MaxOutputTokens = 30 }).GetAwaiter().GetResult().Text;
        string[] alone = [.. Enumerable.Range(0, 8).Select(Expected)];
        await Parallel.ForAsync(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (n, cancel) =>
        {
            ChatOptions options = new() { Seed = n % 8, MaxOutputTokens = 30 };
            string text = n % 2 == 0
                ? (await bed.Client.GetResponseAsync($"Number {n % 8}", options, cancel)).Text
                : string.Concat(await bed.Client.GetStreamingResponseAsync($"Number {n % 8}", options, cancel).ToListAsync(cancel));
            Assert.That(text, Is.EqualTo(alone[n % 8]));
        });
    }

    [Test]
    public async Task A_canceled_reply_ends_between_tokens()
    {
        using Bed bed = new(_ => new string('a', 100_000), new() { Defaults = new() { MaxTokens = 200_000 } });
        using CancellationTokenSource canceled = new();
        int count = 0;
        Assert.That(
            async () =>
            {
                await foreach (ChatResponseUpdate update in bed.Client.GetStreamingResponseAsync("Hi", cancellationToken: canceled.Token))
                {
                    if (++count == 5)
                    {
                        await canceled.CancelAsync();
                    }
                }
            },
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(count, Is.EqualTo(5));
        await foreach (ChatResponseUpdate update in bed.Client.GetStreamingResponseAsync("Hi"))
        {
            break;
        }

        Assert.That(async () => await bed.Client.GetResponseAsync("Hi", cancellationToken: new(true)), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(() => bed.Engine.Metrics.Running, Is.Zero.After(5000, 5));
    }

    [Test]
    public async Task Json_is_what_comes_where_it_is_asked_for_whatever_the_model()
    {
        using Bed bed = new();
        int whole = 0;
        for (int seed = 0; seed < 20; seed++)
        {
            ChatResponse any = await bed.Client.GetResponseAsync("Hi", new() { ResponseFormat = ChatResponseFormat.Json, Seed = seed, MaxOutputTokens = 3000 });
            if (any.FinishReason == ChatFinishReason.Stop)
            {
                whole++;
                Assert.That(JsonDocument.Parse(any.Text).RootElement.ValueKind, Is.EqualTo(JsonValueKind.Object));
            }
        }

        Assert.That(whole, Is.Positive);
        for (int seed = 0; seed < 5; seed++)
        {
            ChatResponse<Job[]> jobs = await bed.Client.GetResponseAsync<Job[]>("Which?", new ChatOptions { Seed = seed, MaxOutputTokens = 100_000 });
            Assert.That(jobs.TryGetResult(out _), jobs.Text);
            Assert.That((await bed.Client.GetResponseAsync<bool>("Is it?", new ChatOptions { Seed = seed })).TryGetResult(out _));
            Assert.That((await bed.Client.GetResponseAsync<long>("How many?", new ChatOptions { Seed = seed })).TryGetResult(out _));
        }

        JsonElement strange = JsonElement.Parse("""{"type":"object","minProperties":3}""");
        Assert.That(async () => await bed.Client.GetResponseAsync("x", new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(strange) }),
            Throws.ArgumentException.With.Message.Contains("minProperties"));
    }

    private enum Job
    {
        Wombat,
        PopStar,
        Programmer,
    }
}
