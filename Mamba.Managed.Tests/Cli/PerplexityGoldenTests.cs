using System.Text.Json;
using Mamba.Managed.Cli;

namespace Mamba.Managed.Tests.Cli;

/// <summary><c>mamba perplexity</c> against the value that PyTorch computed in double precision.</summary>
public class PerplexityGoldenTests
{
    [Test]
    public async Task A_trained_model_foretells_Shakespeare_as_in_float64()
    {
        string folder = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "shakespeare-bytes");
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "golden.json")));
        double nats = golden.RootElement.GetProperty("nll_nats_per_byte_first_2048_val_bytes_one_window").GetDouble();
        using StringWriter output = new(), error = new();
        int exit = await MambaCommand.RunAsync(["perplexity", folder, "--file", Path.Combine(folder, "validation.txt"), "--length", "2048", "--json"], output, error);
        Assert.That(exit, Is.Zero, error.ToString());
        using JsonDocument found = JsonDocument.Parse(output.ToString());
        Assert.That(found.RootElement.GetProperty("tokens_scored").GetInt32(), Is.EqualTo(2047));

        // Float32 logits are good to 1e-4 of their largest value; over 2,047 tokens such errors nearly cancel.
        Assert.That(found.RootElement.GetProperty("nats_per_token").GetDouble(), Is.EqualTo(nats).Within(1e-5));
        Assert.That(found.RootElement.GetProperty("nats_per_byte").GetDouble(), Is.EqualTo(nats).Within(1e-5));
    }
}
