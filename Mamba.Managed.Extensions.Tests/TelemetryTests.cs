using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions.Tests;

/// <summary>Metrics and traces by OpenTelemetry's conventions.</summary>
[NonParallelizable]
public class TelemetryTests
{
    [Test]
    public async Task An_operation_is_measured()
    {
        ConcurrentQueue<(string Name, double Value, Dictionary<string, object?> Tags)> measured = [];
        using MambaTelemetry telemetry = new();
        using Bed bed = new(_ => "Hello", new() { Telemetry = telemetry });
        using IDisposable watch = telemetry.Watch("tiny", bed.Engine);
        using MeterListener listener = Listen(measured);
        ConcurrentQueue<Activity> activities = [];
        using ActivityListener tracer = new()
        {
            ShouldListenTo = source => source.Name == MambaTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activities.Enqueue,
        };
        ActivitySource.AddActivityListener(tracer);

        await bed.Client.GetResponseAsync("Hi", new() { Temperature = 0.5f, Seed = 3, MaxOutputTokens = 50 });
        Assert.That(async () => await bed.Client.GetResponseAsync("Hi", new() { ModelId = "other" }), Throws.ArgumentException);
        await new MambaEmbeddingGenerator(bed.Model, bed.Engine, telemetry: telemetry).GenerateAsync(["abc"]);
        listener.RecordObservableInstruments();

        double Value(string name, string? tag = null, string? value = null) => measured.Single(entry => entry.Name == name && (tag is null || Equals(entry.Tags[tag], value))).Value;
        int prompt = "user: Hi\nassistant:".Length;
        Assert.That(measured.Where(entry => entry.Name == "gen_ai.client.token.usage").Select(entry => (entry.Tags["gen_ai.operation.name"], entry.Tags["gen_ai.token.type"], entry.Value)),
            Is.EqualTo(new[] { ("chat", "input", (double)prompt), ("chat", "output", 6), ("embeddings", "input", 3) }));
        Assert.That(measured.Count(entry => entry.Name == "gen_ai.client.operation.duration"), Is.EqualTo(3));
        Assert.That(measured.Single(entry => entry.Tags.ContainsKey("error.type")).Tags["error.type"], Is.EqualTo("System.ArgumentException"));
        Assert.That(Value("gen_ai.server.time_to_first_token"), Is.Positive);
        Assert.That(Value("gen_ai.server.time_per_output_token"), Is.Not.Negative);
        Assert.That(Value("gen_ai.server.request.duration"), Is.Positive);
        Assert.That((Value("mamba.engine.queued"), Value("mamba.engine.running")), Is.EqualTo((0, 0)));
        Assert.That(Value("mamba.engine.batch.size"), Is.EqualTo(1));
        Assert.That(Value("mamba.engine.passes"), Is.AtLeast(7));
        Assert.That(Value("mamba.engine.tokens", "gen_ai.token.type", "output"), Is.EqualTo(6));
        Assert.That(Value("mamba.engine.requests", "mamba.outcome", "finished"), Is.EqualTo(2));

        Activity chat = activities.First();
        Assert.That((chat.DisplayName, chat.GetTagItem("gen_ai.provider.name"), chat.GetTagItem("gen_ai.usage.input_tokens"), chat.GetTagItem("gen_ai.request.seed")),
            Is.EqualTo(("chat tiny", (object?)"mamba", (object?)(long)prompt, (object?)3L)));
        Assert.That(activities.Select(activity => activity.Status), Is.EqualTo(new[] { ActivityStatusCode.Unset, ActivityStatusCode.Error, ActivityStatusCode.Unset }));
    }

    [Test]
    public async Task The_middleware_of_others_finds_what_it_reports()
    {
        string source = Guid.NewGuid().ToString();
        ConcurrentQueue<Activity> activities = [];
        using ActivityListener tracer = new()
        {
            ShouldListenTo = found => found.Name == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activities.Enqueue,
        };
        ActivitySource.AddActivityListener(tracer);
        using Bed bed = new(_ => "Hello");
        using IChatClient client = bed.Client.AsBuilder().UseOpenTelemetry(sourceName: source).Build();
        ChatResponse response = await client.GetResponseAsync("Hi");
        Activity activity = activities.Single();
        Assert.That(activity.DisplayName, Is.EqualTo("chat tiny"));
        Assert.That(Convert.ToInt64(activity.GetTagItem("gen_ai.usage.input_tokens"), null), Is.EqualTo(response.Usage!.InputTokenCount));
        Assert.That(activity.GetTagItem("gen_ai.provider.name"), Is.EqualTo("mamba"));
        Assert.That(activity.GetTagItem("gen_ai.response.id"), Is.EqualTo(response.ResponseId));
    }

    private static MeterListener Listen(ConcurrentQueue<(string Name, double Value, Dictionary<string, object?> Tags)> measured)
    {
        MeterListener listener = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == MambaTelemetry.Name)
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => measured.Enqueue((instrument.Name, value, new(tags.ToArray()))));
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => measured.Enqueue((instrument.Name, value, new(tags.ToArray()))));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => measured.Enqueue((instrument.Name, value, new(tags.ToArray()))));
        listener.Start();
        return listener;
    }
}
