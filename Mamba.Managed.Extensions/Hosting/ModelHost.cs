using Mamba.Managed.Generation;
using Mamba.Managed.Generation.Prefixes;
using Microsoft.Extensions.Options;

namespace Mamba.Managed.Extensions;

/// <summary>A model of a service, from when it is first needed until the service ends.</summary>
internal sealed class ModelHost : IDisposable
{
    private readonly Lock gate = new();
    private readonly IServiceProvider services;
    private readonly MambaTelemetry telemetry;
    private readonly Lazy<MambaModelOptions> options;
    private Loaded? loaded;
    private bool isDisposed;

    /// <summary>A model that is not loaded yet.</summary>
    public ModelHost(string name, IServiceProvider services, IOptionsMonitor<MambaModelOptions> options, MambaTelemetry telemetry)
    {
        (Name, this.services, this.telemetry) = (name, services, telemetry);
        this.options = new(() => options.Get(name));
    }

    /// <summary>What the service calls it.</summary>
    public string Name { get; }

    /// <summary>Whether it takes requests.</summary>
    public bool IsReady => Volatile.Read(ref loaded) is not null && !IsDraining;

    /// <summary>Whether it takes no more requests.</summary>
    public bool IsDraining { get; private set; }

    /// <summary>How full its queue may be.</summary>
    public int MaxQueued => options.Value.MaxQueued;

    /// <summary>The model's engine; loads the model where it is not loaded yet.</summary>
    public GenerationEngine Engine => Load().Engine;

    /// <summary>The client that talks with it.</summary>
    public MambaChatClient ChatClient => Load().ChatClient;

    /// <summary>The generator of vectors.</summary>
    public MambaEmbeddingGenerator Embeddings => Load().Embeddings;

    /// <summary>Loads the model and, if the options say so, generates a token.</summary>
    public async Task StartAsync(CancellationToken cancellation)
    {
        Loaded model = await Task.Run(Load, cancellation).ConfigureAwait(false);
        if (options.Value.WarmUp)
        {
            await model.Engine.GenerateAsync(new(new[] { model.Engine.Tokenizer.EndTokenId ?? 0 }) { Options = new() { MaxTokens = 2 } }, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Takes no more requests, and waits for those that there are as long as it may.</summary>
    public async Task DrainAsync(CancellationToken cancellation)
    {
        IsDraining = true;
        if (Volatile.Read(ref loaded) is not { } model)
        {
            return;
        }

        try
        {
            await model.Engine.DrainAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The host's time is over: what is left ends with the engine.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            isDisposed = true;
            loaded?.Dispose();
        }
    }

    private Loaded Load()
    {
        if (Volatile.Read(ref loaded) is { } known)
        {
            return known;
        }

        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            return loaded ??= new(Name, options.Value, services, telemetry);
        }
    }

    private sealed class Loaded : IDisposable
    {
        private readonly MambaModel model;
        private readonly PrefixCache? prefixes;
        private readonly IDisposable watch;

        public Loaded(string name, MambaModelOptions options, IServiceProvider services, MambaTelemetry telemetry)
        {
            model = options.Open is { } open ? open(services) : MambaModel.Load(options.Path!, options.Threads, name);
            try
            {
                prefixes = options.Prefixes();
                Engine = new(model.Executor, model.Tokenizer, options.Engine(model.Executor.MaxRows, prefixes));
                ChatClient = new(model, Engine, new()
                {
                    Template = options.Template?.Invoke(model),
                    Sessions = (ISessionStore?)services.GetService(typeof(ISessionStore)) ?? options.Sessions((TimeProvider?)services.GetService(typeof(TimeProvider))),
                    Defaults = new() { MaxTokens = options.MaxOutputTokens, Temperature = options.Temperature },
                    Telemetry = telemetry,
                });
                Embeddings = new(model, Engine, options.EmbeddingPooling, options.NormalizeEmbeddings, telemetry);
                watch = telemetry.Watch(name, Engine);
            }
            catch
            {
                Engine?.Dispose();
                prefixes?.Dispose();
                model.Dispose();
                throw;
            }
        }

        public GenerationEngine Engine { get; }

        public MambaChatClient ChatClient { get; }

        public MambaEmbeddingGenerator Embeddings { get; }

        public void Dispose()
        {
            watch.Dispose();
            Engine.Dispose();
            prefixes?.Dispose();
            model.Dispose();
        }
    }
}
