namespace Mamba.Managed.Tests.Documentation;

/// <summary>The README is true: its code compiles, runs, and is the code of <see cref="ReadmeSample"/>.</summary>
public class ReadmeTests
{
    private static string Documentation => Path.Combine(TestContext.CurrentContext.TestDirectory, "Documentation");

    [Test]
    public async Task The_samples_run()
    {
        using MemoryStream state = new();
        using StringWriter text = new(), parameters = new();
        await ReadmeSample.Generate(Path.Combine(TestContext.CurrentContext.TestDirectory, "DefaultModel"), state, text);
        ReadmeSample.Inspect(parameters);
        Assert.That(text.ToString(), Has.Length.GreaterThan(20));
        Assert.That(state.Length, Is.GreaterThan(100_000));
        Assert.That(parameters.ToString(), Does.Contain("backbone.layers.1.mixer.A_log: Float32 [128, 16]"));
    }

    [Test]
    public void The_samples_are_those_that_compile()
    {
        string[] code = Lines(File.ReadAllText(Path.Combine(Documentation, "ReadmeSample.cs")));
        string readme = File.ReadAllText(Path.Combine(Documentation, "README.md")).ReplaceLineEndings("\n");
        string[] samples = [.. readme.Split("```csharp\n").Skip(1).Select(rest => rest[..rest.IndexOf("```", StringComparison.Ordinal)])];
        Assert.That(samples, Has.Length.EqualTo(2));
        foreach (string sample in samples)
        {
            Assert.That(string.Join('\n', code), Does.Contain(string.Join('\n', Lines(sample))));
        }

        Assert.That(readme.Split('\n'), Has.Length.LessThan(250));
    }

    private static string[] Lines(string text) =>
        text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
