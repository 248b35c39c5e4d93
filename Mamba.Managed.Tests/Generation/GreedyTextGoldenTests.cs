using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation;

/// <summary>
/// Trained models against the text that PyTorch continued in double precision: the reference's, and the one that ships with the command
/// (<c>eng/default-model-golden.py</c>).
/// </summary>
public class GreedyTextGoldenTests
{
    [TestCase("Fixtures/shakespeare-bytes", "shakespeare-bytes")]
    [TestCase("DefaultModel", "default-model")]
    public async Task A_trained_model_continues_as_in_float64(string modelFolder, string goldenFolder)
    {
        string root = TestContext.CurrentContext.TestDirectory, model = Path.Combine(root, modelFolder);
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(root, "Fixtures", goldenFolder, "golden.json")));
        using CpuExecutor executor = new(Opened.Model(model), 2);
        TextGenerator generator = new(executor, ModelSource.Open(model).Tokenizer, new GenerationOptions { MaxTokens = 120, Temperature = 0 });
        GenerationResult result = await generator.GenerateAsync(golden.RootElement.GetProperty("greedy_prompt").GetString()!);
        Assert.That(result.Text, Is.EqualTo(golden.RootElement.GetProperty("greedy_120_bytes").GetString()));
    }
}
