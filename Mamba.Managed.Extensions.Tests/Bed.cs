using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Models;

namespace Mamba.Managed.Extensions.Tests;

/// <summary>A small model with an engine and a client.</summary>
internal sealed class Bed : IDisposable
{
    public static readonly MambaConfig Config = new() { DModel = 16, NLayer = 2, VocabSize = 257, InitializerRange = 1, TieEmbeddings = false };

    /// <summary>A model of random weights, or one that says what a test wants.</summary>
    public Bed(Func<string, string>? reply = null, MambaChatClientOptions? options = null, EngineOptions? engine = null, string? template = null)
    {
        CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        Replying = reply is null ? null : new(executor, reply);
        Model = new(Replying ?? (IMambaExecutor)executor, new EndingBytes(), "tiny", template is null ? null : new Dictionary<string, string> { ["default"] = template });
        Engine = new(Model.Executor, Model.Tokenizer, engine);
        Client = new(Model, Engine, options);
    }

    public ReplyingExecutor? Replying { get; }

    public MambaModel Model { get; }

    public GenerationEngine Engine { get; }

    public MambaChatClient Client { get; }

    public string LastPrompt => Replying!.Prompts.Last();

    public void Dispose()
    {
        Engine.Dispose();
        Model.Dispose();
    }
}
