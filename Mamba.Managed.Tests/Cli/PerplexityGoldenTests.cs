using System.Text.Json;
using Mamba.Managed.Cli;

namespace Mamba.Managed.Tests.Cli;

/// <summary><c>mamba perplexity</c> against the value that PyTorch computed in double precision.</summary>
public class PerplexityGoldenTests
{
    private static readonly string Fixtures = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");

    [Test]
    public async Task A_trained_model_foretells_Shakespeare_as_in_float64() =>
        await AssertCost("shakespeare-bytes", 2048, Path.Combine(Fixtures, "shakespeare-bytes"));

    [Test]
    public async Task The_default_model_foretells_Shakespeare_as_in_float64() => await AssertCost("default-model", 512);

    private static async Task AssertCost(string goldenFolder, int bytes, params string[] model)
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures, goldenFolder, "golden.json")));
        double nats = golden.RootElement.GetProperty($"nll_nats_per_byte_first_{bytes}_val_bytes_one_window").GetDouble();
        string text = Path.Combine(Fixtures, "shakespeare-bytes", "validation.txt");
        using StringWriter output = new(), error = new();
        int exit = await MambaCommand.RunAsync(["perplexity", .. model, "--file", text, "--length", $"{bytes}", "--json"], output, error);
        Assert.That(exit, Is.Zero, error.ToString());
        using JsonDocument found = JsonDocument.Parse(output.ToString());
        Assert.That(found.RootElement.GetProperty("tokens_scored").GetInt32(), Is.EqualTo(bytes - 1));

        // Float32 logits are good to 1e-4 of their largest value; over hundreds of tokens such errors nearly cancel.
        Assert.That(found.RootElement.GetProperty("nats_per_token").GetDouble(), Is.EqualTo(nats).Within(1e-5));
        Assert.That(found.RootElement.GetProperty("nats_per_byte").GetDouble(), Is.EqualTo(nats).Within(1e-5));
    }
}
