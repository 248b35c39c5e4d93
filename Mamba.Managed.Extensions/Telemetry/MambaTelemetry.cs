using System.Diagnostics;
using System.Diagnostics.Metrics;
using Mamba.Managed.Generation;

namespace Mamba.Managed.Extensions;

/// <summary>Metrics and traces of models in service, by OpenTelemetry's conventions for generative AI and, under <c>mamba.</c>, of the engine.</summary>
/// <remarks>Both meter and source are named <see cref="Name"/>.</remarks>
public sealed class MambaTelemetry : IDisposable
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "Mamba.Managed";

    internal const string Provider = "mamba";

    private static readonly ActivitySource Activities = new(Name);

    // The conventions give these bounds, so that services can be compared.
    private static readonly InstrumentAdvice<long> TokenBounds = new() { HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864] };
    private static readonly InstrumentAdvice<double> DurationBounds = new() { HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92] };
    private static readonly InstrumentAdvice<double> FirstTokenBounds = new() { HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] };
    private static readonly InstrumentAdvice<double> TokenTimeBounds = new() { HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5] };

    private readonly Meter meter;
    private readonly Lock gate = new();
    private readonly List<WatchedEngine> engines = [];

    /// <summary>Makes the instruments.</summary>
    /// <param name="factory">Where the meter comes from; null for a meter of its own.</param>
    public MambaTelemetry(IMeterFactory? factory = null)
    {
        meter = factory?.Create(new MeterOptions(Name)) ?? new Meter(Name);
        TokenUsage = meter.CreateHistogram("gen_ai.client.token.usage", "{token}", "Tokens of an operation, read or generated.", null, TokenBounds);
        Duration = meter.CreateHistogram("gen_ai.client.operation.duration", "s", "Time of an operation.", null, DurationBounds);
        RequestDuration = meter.CreateHistogram("gen_ai.server.request.duration", "s", "Time of a request in the engine, until its last token.", null, DurationBounds);
        TimeToFirstToken = meter.CreateHistogram("gen_ai.server.time_to_first_token", "s", "Time until the first token of a reply.", null, FirstTokenBounds);
        TimePerOutputToken = meter.CreateHistogram("gen_ai.server.time_per_output_token", "s", "Time for each token after the first.", null, TokenTimeBounds);
        meter.CreateObservableUpDownCounter("mamba.engine.queued", () => Observe(engine => engine.Now.Queued), "{request}", "Requests that wait for others to end.");
        meter.CreateObservableUpDownCounter("mamba.engine.running", () => Observe(engine => engine.Now.Running), "{request}", "Requests under way.");
        meter.CreateObservableGauge("mamba.engine.batch.size", () => Observe(engine => engine.BatchSize()), "{sequence}", "Sequences of a pass, on average since this was last read.");
        meter.CreateObservableCounter("mamba.engine.passes", () => Observe(engine => engine.Now.Passes), "{pass}", "Passes of the executor.");
        meter.CreateObservableCounter("mamba.engine.pass.time", () => Observe(engine => engine.Now.PassTime.TotalSeconds), "s", "Time within passes.");
        meter.CreateObservableCounter("mamba.engine.tokens", Tokens, "{token}", "Tokens that were fed from prompts, or generated.");
        meter.CreateObservableCounter("mamba.engine.requests", Requests, "{request}", "Requests that ended, by how they did.");
        meter.CreateObservableUpDownCounter("mamba.prefix_cache.states", () => Observe(engine => engine.Now.PrefixCache?.States ?? 0), "{state}", "States of texts read before that are kept in memory.");
        meter.CreateObservableUpDownCounter("mamba.prefix_cache.size", () => Observe(engine => engine.Now.PrefixCache?.Bytes ?? 0), "By", "Bytes of these states.");
        meter.CreateObservableCounter("mamba.prefix_cache.requests", Prefixes, "{request}", "Requests that asked for such a state, by what they got.");
        CachedTokens = meter.CreateCounter<long>("mamba.prompt.cached_tokens", "{token}", "Tokens of prompts whose state was there already: of stored conversations and prefixes.");
    }

    internal Histogram<long> TokenUsage { get; }

    internal Histogram<double> Duration { get; }

    internal Histogram<double> RequestDuration { get; }

    internal Histogram<double> TimeToFirstToken { get; }

    internal Histogram<double> TimePerOutputToken { get; }

    internal Counter<long> CachedTokens { get; }

    /// <summary>Reports an engine's counts from now on.</summary>
    /// <param name="model">What its model is called.</param>
    /// <param name="engine">The engine; it may be disposed before what this returns.</param>
    /// <returns>To be disposed when it is no longer to be reported.</returns>
    public IDisposable Watch(string model, GenerationEngine engine)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        ArgumentNullException.ThrowIfNull(engine);
        WatchedEngine watched = new(this, model, engine);
        lock (gate)
        {
            engines.Add(watched);
        }

        return watched;
    }

    /// <summary>Ends the meter.</summary>
    public void Dispose() => meter.Dispose();

    internal TelemetryOperation Begin(string operation, string model) =>
        new(this, operation, model, Activities.StartActivity($"{operation} {model}", ActivityKind.Internal));

    private void Leave(WatchedEngine engine)
    {
        lock (gate)
        {
            engines.Remove(engine);
        }
    }

    private WatchedEngine[] Engines()
    {
        lock (gate)
        {
            return [.. engines];
        }
    }

    private IEnumerable<Measurement<T>> Observe<T>(Func<WatchedEngine, T> value)
        where T : struct => Engines().Select(engine => new Measurement<T>(value(engine), engine.Tag()));

    private IEnumerable<Measurement<long>> Tokens() => Engines().SelectMany(engine => (Measurement<long>[])
    [
        new(engine.Now.PromptTokens, engine.Tag(), new("gen_ai.token.type", "input")),
        new(engine.Now.GeneratedTokens, engine.Tag(), new("gen_ai.token.type", "output")),
    ]);

    private IEnumerable<Measurement<long>> Requests() => Engines().SelectMany(engine => (Measurement<long>[])
    [
        new(engine.Now.Finished, engine.Tag(), new("mamba.outcome", "finished")),
        new(engine.Now.Canceled, engine.Tag(), new("mamba.outcome", "canceled")),
        new(engine.Now.Expired, engine.Tag(), new("mamba.outcome", "expired")),
        new(engine.Now.Failed, engine.Tag(), new("mamba.outcome", "failed")),
        new(engine.Now.Rejected, engine.Tag(), new("mamba.outcome", "rejected")),
    ]);

    private IEnumerable<Measurement<long>> Prefixes() => Engines().SelectMany(engine => (Measurement<long>[])
    [
        new(engine.Now.Prefixes.Hits, engine.Tag(), new("mamba.outcome", "hit")),
        new(engine.Now.Prefixes.FolderHits, engine.Tag(), new("mamba.outcome", "folder_hit")),
        new(engine.Now.Prefixes.NeverStored, engine.Tag(), new("mamba.outcome", "never_stored")),
        new(engine.Now.Prefixes.Parted, engine.Tag(), new("mamba.outcome", "parted")),
        new(engine.Now.Prefixes.Evicted, engine.Tag(), new("mamba.outcome", "evicted")),
        new(engine.Now.Prefixes.OtherModel, engine.Tag(), new("mamba.outcome", "other_model")),
    ]);

    private sealed class WatchedEngine(MambaTelemetry telemetry, string model, GenerationEngine engine) : IDisposable
    {
        private long passes;
        private long sequences;

        public EngineMetrics Now => engine.Metrics;

        public KeyValuePair<string, object?> Tag() => new("gen_ai.request.model", model);

        public double BatchSize()
        {
            EngineMetrics now = engine.Metrics;
            long newPasses = now.Passes - passes, newSequences = now.Sequences - sequences;
            (passes, sequences) = (now.Passes, now.Sequences);
            return newPasses == 0 ? 0 : (double)newSequences / newPasses;
        }

        public void Dispose() => telemetry.Leave(this);
    }
}
