using Mamba.Managed.Generation;

namespace Mamba.Managed.Extensions;

/// <summary>What a <see cref="MambaChatClient"/> works with beside its model.</summary>
public sealed record MambaChatClientOptions
{
    /// <summary>Makes a text of a conversation; null for the model's own template, or one of a line for each message where it has none.</summary>
    public IChatTemplate? Template { get; init; }

    /// <summary>Keeps conversations that are continued by their id; null for a <see cref="MemorySessionStore"/> of the client's own.</summary>
    public ISessionStore? Sessions { get; init; }

    /// <summary>What counts where a request says nothing.</summary>
    public GenerationOptions Defaults { get; init; } = new() { MaxTokens = 1024 };

    /// <summary>Takes measurements; null for none.</summary>
    public MambaTelemetry? Telemetry { get; init; }
}
