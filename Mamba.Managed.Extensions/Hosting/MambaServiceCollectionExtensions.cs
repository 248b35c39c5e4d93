using System.Diagnostics.Metrics;
using Mamba.Managed.Generation;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Mamba.Managed.Extensions;

/// <summary>Adds models to the services of an application.</summary>
public static class MambaServiceCollectionExtensions
{
    private const string Models = "Models";

    /// <summary>Adds the models of a configuration section.</summary>
    /// <param name="services">Where to add.</param>
    /// <param name="section">Its part <c>Models</c> has a section for each model, by name, as <see cref="MambaModelOptions"/>.</param>
    /// <remarks>See <see cref="AddMamba(IServiceCollection, string, Action{MambaModelOptions})"/>.</remarks>
    /// <exception cref="ArgumentException">There is no model in the section.</exception>
    public static IServiceCollection AddMamba(this IServiceCollection services, IConfigurationSection section)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(section);
        IConfigurationSection[] models = [.. section.GetSection(Models).GetChildren()];
        if (models.Length == 0)
        {
            throw new ArgumentException($"{section.Path}: expected models under '{Models}', each with a name and a path, found none", nameof(section));
        }

        foreach (IConfigurationSection model in models)
        {
            Add(services, model.Key).Bind(model);
        }

        return services;
    }

    /// <summary>Adds a model under a name.</summary>
    /// <param name="services">Where to add.</param>
    /// <param name="name">What the model is called, and the key of its services.</param>
    /// <param name="configure">Sets the options.</param>
    /// <remarks>
    /// With that key there are a <see cref="GenerationEngine"/>, an <see cref="IChatClient"/> and an
    /// <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/>; those of the first model also without a key. The options are checked, and the model is loaded,
    /// when the host starts; when it stops, requests may end within its timeout. An <see cref="ISessionStore"/> of the application's own keeps the
    /// conversations of all models, if there is one.
    /// </remarks>
    public static IServiceCollection AddMamba(this IServiceCollection services, string name, Action<MambaModelOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(configure);
        Add(services, name).Configure(configure);
        return services;
    }

    /// <summary>Adds a check that says whether the models take requests: unhealthy while one is loaded or drained, degraded while a queue is full.</summary>
    /// <param name="builder">Where to add.</param>
    /// <param name="name">What the check is called.</param>
    /// <param name="tags">Its tags.</param>
    public static IHealthChecksBuilder AddMamba(this IHealthChecksBuilder builder, string name = "mamba", IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(name, services => new MambaHealthCheck(services.GetServices<ModelHost>()), null, tags));
    }

    private static OptionsBuilder<MambaModelOptions> Add(IServiceCollection services, string name)
    {
        if (services.Any(service => service.ServiceType == typeof(ModelHost) && Equals(service.ServiceKey, name)))
        {
            throw new ArgumentException($"expected models of different names, found '{name}' twice", nameof(name));
        }

        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<MambaModelOptions>, MambaModelOptionsValidator>());
        services.TryAddSingleton(provider => new MambaTelemetry(provider.GetService<IMeterFactory>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, MambaHostedService>());
        services.AddKeyedSingleton(name, (provider, _) => new ModelHost(
            name, provider, provider.GetRequiredService<IOptionsMonitor<MambaModelOptions>>(), provider.GetRequiredService<MambaTelemetry>()));
        services.AddSingleton(provider => provider.GetRequiredKeyedService<ModelHost>(name));
        services.AddKeyedSingleton(name, (provider, _) => provider.GetRequiredKeyedService<ModelHost>(name).Engine);
        services.AddKeyedSingleton<IChatClient>(name, (provider, _) => provider.GetRequiredKeyedService<ModelHost>(name).ChatClient);
        services.AddKeyedSingleton<IEmbeddingGenerator<string, Embedding<float>>>(name, (provider, _) => provider.GetRequiredKeyedService<ModelHost>(name).Embeddings);
        services.TryAddSingleton(provider => provider.GetRequiredKeyedService<GenerationEngine>(name));
        services.TryAddSingleton(provider => provider.GetRequiredKeyedService<IChatClient>(name));
        services.TryAddSingleton(provider => provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>(name));
        return services.AddOptions<MambaModelOptions>(name).ValidateOnStart();
    }
}
