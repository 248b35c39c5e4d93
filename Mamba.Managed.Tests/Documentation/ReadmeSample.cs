using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Documentation;

/// <summary>The README's code, as it stands there.</summary>
internal static class ReadmeSample
{
    public static async Task Generate(Stream stream, TextWriter Console)
    {
        string model = Path.Combine(AppContext.BaseDirectory, "DefaultModel"); // or a folder from a model hub, or a GGUF file
        using ModelSource source = ModelSource.Open(model);
        using CpuExecutor executor = CpuExecutor.TakeOver(source.Model);
        TextGenerator generator = new(executor, source.Tokenizer, new() { MaxTokens = 40, Temperature = 0.8f, TopP = 0.95f, Seed = 1 });
        GenerationSession session = generator.CreateSession();
        await foreach (GeneratedToken token in generator.StreamAsync(session, "ROMEO:"))
        {
            Console.Write(token.Text);
        }

        session.Settle();
        session.State.Save(stream, source.Fingerprint); // go on tomorrow, elsewhere
    }

    public static void Inspect(TextWriter Console)
    {
        MambaConfig config = new() { DModel = 64, NLayer = 2, VocabSize = 256 };
        MambaLanguageModel fresh = MambaLanguageModel.Create(config, seed: 1);
        foreach ((string name, Tensor tensor) in fresh.Parameters())
        {
            Console.WriteLine($"{name}: {tensor}");
        }
    }
}
