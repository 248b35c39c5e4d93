using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Models;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Mamba.Managed.Extensions.Tests;

/// <summary>Models as services of a host: found by name, checked, warm, drained.</summary>
public class HostingTests
{
    private static string Shakespeare => Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "shakespeare-bytes");

    [Test]
    public async Task Models_of_a_configuration_are_services_by_name()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Mamba:Models:bard:Path"] = Shakespeare,
            ["Mamba:Models:bard:Threads"] = "1",
            ["Mamba:Models:bard:MaxOutputTokens"] = "7",
            ["Mamba:Models:bard:MaxDelay"] = "00:00:00.050",
            ["Mamba:Models:second:Path"] = Shakespeare,
            ["Mamba:Models:second:Threads"] = "1",
            ["Mamba:Models:second:EmbeddingPooling"] = "Mean",
        });
        builder.Services.AddMamba(builder.Configuration.GetSection("Mamba"));
        builder.Services.AddHealthChecks().AddMamba();
        using IHost host = builder.Build();
        await host.StartAsync();
        IServiceProvider services = host.Services;
        IChatClient bard = services.GetRequiredKeyedService<IChatClient>("bard"), second = services.GetRequiredKeyedService<IChatClient>("second");
        Assert.That(services.GetRequiredService<IChatClient>(), Is.SameAs(bard));
        Assert.That(second, Is.Not.SameAs(bard));
        Assert.That(services.GetRequiredKeyedService<GenerationEngine>("bard"), Is.SameAs(bard.GetService<GenerationEngine>()));
        Assert.That(services.GetRequiredService<GenerationEngine>(), Is.SameAs(bard.GetService<GenerationEngine>()));
        Assert.That(services.GetRequiredService<GenerationEngine>().Metrics.Finished, Is.EqualTo(1), "it is warm");
        ChatResponse response = await bard.GetResponseAsync("To be");
        Assert.That((response.Usage!.OutputTokenCount, response.ModelId), Is.EqualTo(((long?)7, "bard")));
        Embedding<float> last = await services.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>().GenerateAsync("To be");
        Embedding<float> mean = await services.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("second").GenerateAsync("To be");
        Assert.That(last.Vector.ToArray(), Is.Not.EqualTo(mean.Vector.ToArray()));
        HealthCheckService health = services.GetRequiredService<HealthCheckService>();
        HealthReport report = await health.CheckHealthAsync();
        Assert.That((report.Status, report.Entries["mamba"].Description), Is.EqualTo((HealthStatus.Healthy, "bard: ready, second: ready")));
        await host.StopAsync();
        Assert.That((await health.CheckHealthAsync()).Status, Is.EqualTo(HealthStatus.Unhealthy));
        Assert.That(async () => await bard.GetResponseAsync("To be"), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public async Task Options_are_checked_when_the_host_starts()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Services.AddMamba("tiny", options => (options.Path, options.MaxBatch, options.Temperature) = ("/nowhere", 0, -1));
        using IHost host = builder.Build();
        OptionsValidationException error = (await Assert.ThrowsAsync<OptionsValidationException>(async () => await host.StartAsync()))!;
        Assert.That(error.Failures, Has.Exactly(3).Items);
        Assert.That(error.Message, Does.Contain("model 'tiny': Path").And.Contain("/nowhere").And.Contain("MaxBatch").And.Contain("Temperature"));
        Assert.That(() => builder.Services.AddMamba("tiny", _ => { }), Throws.ArgumentException.With.Message.Contains("twice"));
        Assert.That(() => builder.Services.AddMamba(builder.Configuration.GetSection("Mamba")), Throws.ArgumentException.With.Message.Contains("Models"));
    }

    [Test]
    public async Task Requests_may_end_when_the_host_stops_as_long_as_its_timeout_allows([Values] bool isLong)
    {
        using ManualResetEventSlim begun = new();
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(isLong ? 0.2 : 30));
        builder.Services.AddMamba("tiny", options =>
        {
            options.Open = _ => new(new ReplyingExecutor(new CpuExecutor(MambaLanguageModel.Create(Bed.Config, 1), 1), _ => new string('a', isLong ? 10_000_000 : 300)), new EndingBytes(), "tiny");
            (options.WarmUp, options.MaxOutputTokens) = (false, 20_000_000);
        });
        IHost host = builder.Build();
        await host.StartAsync();
        IChatClient client = host.Services.GetRequiredService<IChatClient>();
        Task<ChatResponse> reply = Task.Run(async () =>
        {
            List<ChatResponseUpdate> updates = [];
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("Hi"))
            {
                updates.Add(update);
                begun.Set();
            }

            return updates.ToChatResponse();
        });
        begun.Wait();
        await host.StopAsync();
        host.Dispose();
        if (isLong)
        {
            Assert.That(async () => await reply, Throws.TypeOf<ObjectDisposedException>());
        }
        else
        {
            Assert.That((await reply).Text, Has.Length.EqualTo(300));
        }
    }

    [Test]
    public void A_store_of_the_application_keeps_the_conversations()
    {
        MemorySessionStore store = new();
        ServiceCollection services = [];
        services.AddSingleton<ISessionStore>(store);
        services.AddMamba("tiny", options => options.Path = Shakespeare);
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.That(provider.GetRequiredService<IChatClient>().GetService<ISessionStore>(), Is.SameAs(store), "without a host the model is loaded when it is needed");
    }
}
