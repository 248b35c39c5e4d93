using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation;

/// <summary>A trained model against the text that PyTorch continued in double precision.</summary>
public class GreedyTextGoldenTests
{
    [Test]
    public async Task A_trained_model_continues_as_in_float64()
    {
        string model = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "shakespeare-bytes");
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(model, "golden.json")));
        using CpuExecutor executor = new(Checkpoint.Load(model), 2);
        TextGenerator generator = new(executor, Tokenizer.Load(model, executor.Config), new GenerationOptions { MaxTokens = 120, Temperature = 0 });
        GenerationResult result = await generator.GenerateAsync(golden.RootElement.GetProperty("greedy_prompt").GetString()!);
        Assert.That(result.Text, Is.EqualTo(golden.RootElement.GetProperty("greedy_120_bytes").GetString()));
    }
}
