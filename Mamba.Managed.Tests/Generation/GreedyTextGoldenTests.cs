using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation;

/// <summary>The model that ships with the command against the text that PyTorch continued in double precision.</summary>
public class GreedyTextGoldenTests
{
    [Test]
    public async Task The_default_model_continues_as_in_float64()
    {
        string folder = TestContext.CurrentContext.TestDirectory;
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "Fixtures", "shakespeare-bytes", "golden.json")));
        string model = Path.Combine(folder, "DefaultModel");
        using CpuExecutor executor = new(Checkpoint.Load(model), 2);
        TextGenerator generator = new(executor, Tokenizer.Load(model, executor.Config), new GenerationOptions { MaxTokens = 120, Temperature = 0 });
        GenerationResult result = await generator.GenerateAsync(golden.RootElement.GetProperty("greedy_prompt").GetString()!);
        Assert.That(result.Text, Is.EqualTo(golden.RootElement.GetProperty("greedy_120_bytes").GetString()));
    }
}
