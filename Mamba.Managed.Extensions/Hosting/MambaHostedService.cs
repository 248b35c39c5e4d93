using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Mamba.Managed.Extensions;

/// <summary>Loads the models when the host starts, and lets their requests end when it stops, as long as the host's timeout allows.</summary>
internal sealed class MambaHostedService(IEnumerable<ModelHost> models) : IHostedService
{
    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // One after the other: each uses all cores while its weights are packed.
        foreach (ModelHost model in models)
        {
            await model.StartAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.WhenAll(models.Select(model => model.DrainAsync(cancellationToken)));
}

/// <summary>Whether the models take requests.</summary>
internal sealed class MambaHealthCheck(IEnumerable<ModelHost> models) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        Dictionary<string, object> states = models.ToDictionary(model => model.Name, object (model) => StateOf(model));
        HealthStatus status = states.Values.Any(state => state is "loading" or "draining") ? HealthStatus.Unhealthy
            : states.Values.Any(state => state is "busy") ? HealthStatus.Degraded : HealthStatus.Healthy;
        return Task.FromResult(new HealthCheckResult(
            status == HealthStatus.Unhealthy ? context.Registration.FailureStatus : status, string.Join(", ", states.Select(state => $"{state.Key}: {state.Value}")), data: states));
    }

    private static string StateOf(ModelHost model) => model.IsDraining ? "draining" : !model.IsReady ? "loading"
        : model.Engine.Metrics.Queued >= Math.Max(1, model.MaxQueued) ? "busy" : "ready";
}
