using System.Text.Json;
using System.Xml.Linq;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Cli;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Cli;

/// <summary><c>mamba train</c> from the outside: what it writes, goes on from and refuses.</summary>
public class TrainCommandTests
{
    private string root = "";

    private string Data => Path.Combine(root, "data.txt");

    [SetUp]
    public void Prepare()
    {
        root = Directory.CreateTempSubdirectory("mamba-train").FullName;
        File.WriteAllText(Data, string.Concat(Enumerable.Range(0, 120).Select(i => $"{i} bottles of beer on the wall\n")));
    }

    [TearDown]
    public void Remove() => Directory.Delete(root, recursive: true);

    [Test]
    public async Task A_run_leaves_a_model_that_generates_metrics_and_curves()
    {
        // What a run leaves that was killed before its first checkpoint.
        string run = Path.Combine(root, "run");
        Directory.CreateDirectory(Path.Combine(run, "step-00000003.tmp"));
        await File.WriteAllTextAsync(Path.Combine(run, "metrics.jsonl"), """{"step":1,"loss":5}""" + "\n");
        await File.WriteAllTextAsync(Path.Combine(run, "curve.svg"), "");
        (int exit, string output, string error) = await Train(run);
        Assert.That(exit, Is.Zero, error);
        Assert.That(output, Does.Contain("step 6: loss").And.Contain("sample: ").And.Contain("best validation"));
        Assert.That(output.Where(letter => char.IsControl(letter) && letter is not ('\n' or '\r' or '\t')), Is.Empty, "a sample must not command the terminal");
        AssertMetrics(run, 6);
        Assert.That(File.ReadAllBytes(Path.Combine(run, "curve.png")).AsSpan(1, 3).SequenceEqual("PNG"u8), Is.True);
        Assert.That(XDocument.Load(Path.Combine(run, "curve.svg")).Root!.Name.LocalName, Is.EqualTo("svg"));
        Assert.That((await Run(default, "generate", run, "--prompt", "9", "--max-tokens", "5")).Exit, Is.Zero);
    }

    [Test]
    public async Task An_interrupted_run_exits_130_and_goes_on_with_no_step_twice_or_left_out()
    {
        string parts = Path.Combine(root, "parts");
        using CancellationTokenSource source = new();
        using FileSystemWatcher watcher = new(root) { IncludeSubdirectories = true, EnableRaisingEvents = true };
        watcher.Changed += (_, change) => CancelAt(source, change.FullPath);
        Task<(int Exit, string Output, string Error)> first = Run(source.Token, Arguments(parts, "--steps", "400", "--schedule", "constant"));
        Assert.That((await first).Exit, Is.EqualTo(130));
        Assert.That(Directory.GetDirectories(parts, "step-*"), Is.Not.Empty);
        int made = File.ReadAllLines(Path.Combine(parts, "metrics.jsonl")).Length;
        AssertMetrics(parts, made);
        Assert.That(made, Is.LessThan(400));

        // The log may lie ahead of the checkpoint when a run is killed, its last line cut.
        await File.AppendAllTextAsync(Path.Combine(parts, "metrics.jsonl"), $$"""{"step":{{made + 1}},"loss":1}{{'\n'}}{"step":{{made + 2}},"lo""");
        (int exit, _, string error) = await Run(default, Arguments(parts, "--steps", $"{made + 3}", "--schedule", "constant", "--resume"));
        Assert.That(exit, Is.Zero, error);
        AssertMetrics(parts, made + 3);

        static void CancelAt(CancellationTokenSource source, string path)
        {
            if (path.EndsWith("metrics.jsonl", StringComparison.Ordinal))
            {
                source.Cancel();
            }
        }
    }

    [Test]
    public async Task A_run_that_goes_on_ends_with_the_bytes_of_one_that_did_not_stop()
    {
        string whole = Path.Combine(root, "whole"), parts = Path.Combine(root, "parts");
        Assert.That((await Run(default, Arguments(whole, "--steps", "6", "--schedule", "constant"))).Exit, Is.Zero);
        Assert.That((await Run(default, Arguments(parts, "--steps", "3", "--schedule", "constant"))).Exit, Is.Zero);
        Assert.That((await Run(default, Arguments(parts, "--steps", "6", "--schedule", "constant", "--resume"))).Exit, Is.Zero);
        foreach (string file in new[] { "model.safetensors", "optimiser.safetensors" })
        {
            byte[] expected = File.ReadAllBytes(Path.Combine(whole, "step-00000006", file));
            Assert.That(File.ReadAllBytes(Path.Combine(parts, "step-00000006", file)).SequenceEqual(expected), Is.True, file);
        }

        AssertMetrics(parts, 6);
    }

    [Test]
    public async Task A_token_file_trains_as_the_text_it_was_made_of()
    {
        string lines = Path.Combine(root, "data.jsonl"), tokens = Path.Combine(root, "data.tokens");
        await File.WriteAllLinesAsync(lines, [JsonSerializer.Serialize(await File.ReadAllTextAsync(Data)), "no JSON"]);
        (int exit, string output, string error) = await Run(default, "tokenize", "--file", lines, "--output", tokens);
        Assert.That((exit, output), Is.EqualTo((0, $"{tokens}: 1 documents, {new FileInfo(Data).Length} tokens{Environment.NewLine}")));
        Assert.That(error, Does.Contain("line 2").And.Contain("1 bad lines were left out"));
        string text = Path.Combine(root, "text"), mapped = Path.Combine(root, "mapped");
        Assert.That((await Train(text)).Exit, Is.Zero);
        string[] args = Arguments(mapped, "--steps", "6");
        args[Array.IndexOf(args, Data)] = tokens;
        Assert.That((await Run(default, args)).Exit, Is.Zero);
        Assert.That(
            File.ReadAllBytes(Path.Combine(mapped, "model.safetensors")), Is.EqualTo(File.ReadAllBytes(Path.Combine(text, "model.safetensors"))));
    }

    [TestCase("--learning-rate", "0")]
    [TestCase("--learning-rate", "-1")]
    [TestCase("--learning-rate", "NaN")]
    [TestCase("--ema", "1")]
    [TestCase("--length", "5000")]
    [TestCase("--batch", "100000")]
    [TestCase("--length", "1000000000")]
    [TestCase("--validation", "4000")]
    [TestCase("--resume")]
    [TestCase("--data", "no-such-file")]
    [TestCase("--data", "/")]
    public async Task Bad_input_gives_one_line_and_exit_1(params string[] args)
    {
        string run = Path.Combine(root, "run");
        string[] all = Arguments(run);
        int at = Array.IndexOf(all, args[0]);
        all = at < 0 ? [.. all, .. args] : [.. all[..at], .. args, .. all[(at + 2)..]];
        (int exit, string output, string error) = await Run(default, all);
        Assert.That(exit, Is.EqualTo(1), output + error);
        Assert.That(error, Does.Match(@"^mamba: [^\n]+\n$"));
        Assert.That(Directory.Exists(run), Is.False);
    }

    [Test]
    public async Task Empty_data_a_full_folder_and_a_run_of_another_model_or_of_other_data_are_refused()
    {
        string run = Path.Combine(root, "run"), empty = Path.Combine(root, "empty.txt");
        await File.WriteAllTextAsync(empty, "");
        Assert.That((await Run(default, "train", "--data", empty, "--output", run)).Error, Does.StartWith("mamba: ").And.Contain("expected text"));
        Assert.That((await Train(run)).Exit, Is.Zero);
        byte[] before = File.ReadAllBytes(Path.Combine(run, "model.safetensors"));
        Assert.That((await Train(run)).Error, Does.StartWith("mamba: ").And.Contain("--resume"));
        Assert.That((await Train(run, "--resume", "--d-state", "4")).Error, Does.StartWith("mamba: ").And.Contain("another model"));
        Assert.That(
            (await Train(run, "--resume", "--seed", "7")).Error, Does.Contain("expected a run with seed 7, found one with seed 1; ").And.Not.Contain("batch"));
        Assert.That((await Train(empty)).Error, Does.StartWith("mamba: ").And.Contain("expected a folder"));
        await File.WriteAllTextAsync(Data, (await File.ReadAllTextAsync(Data)).Replace("beer", "milk", StringComparison.Ordinal));
        Assert.That((await Train(run, "--resume")).Error, Does.Match("expected a run with data .* tokens, found one with data .* tokens; continue with the same data"));
        Assert.That(File.ReadAllBytes(Path.Combine(run, "model.safetensors")), Is.EqualTo(before));
    }

    [Test]
    public async Task What_lies_beside_the_weights_of_the_first_model_lies_beside_those_of_the_run()
    {
        string init = Path.Combine(root, "init"), run = Path.Combine(root, "run");
        Checkpoint.Save(init, MambaLanguageModel.Create(new() { DModel = 16, NLayer = 1, VocabSize = 256, PadTokenId = 3, EndTokenIds = [0, 7] }, 1));
        await File.WriteAllTextAsync(Path.Combine(init, "generation_config.json"), """{"eos_token_id": [10, 7]}""");
        await File.WriteAllTextAsync(Path.Combine(init, "chat_template.jinja"), "{{ x }}");
        Directory.CreateDirectory(run);
        await File.WriteAllTextAsync(Path.Combine(run, "tokenizer_config.json"), "of a run that was killed before its first checkpoint");
        (int exit, _, string error) = await Run(default, "train", "--data", Data, "--output", run, "--init", init, "--batch", "2", "--length", "32", "--steps", "1");
        Assert.That(exit, Is.Zero, error);
        Assert.That(File.Exists(Path.Combine(run, "tokenizer_config.json")), Is.False);
        Assert.That(await File.ReadAllTextAsync(Path.Combine(run, "chat_template.jinja")), Is.EqualTo("{{ x }}"));
        using ModelSource source = ModelSource.Open(run);
        Assert.That(source.Tokenizer.EndTokenIds, Is.EqualTo(new[] { 10, 7 }));
        Assert.That((source.Config.PadTokenId, source.Config.EndTokenIds), Is.EqualTo((3, (int[])[0, 7])));
    }

    private static void AssertMetrics(string run, int steps)
    {
        long[] found = [.. File.ReadLines(Path.Combine(run, "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("step").GetInt64())];
        Assert.That(found, Is.EqualTo(Enumerable.Range(1, steps).Select(step => (long)step)));
    }

    private string[] Arguments(string run, params string[] more) =>
    [
        "train", "--data", Data, "--output", run, "--d-model", "16", "--layers", "2", "--batch", "2", "--length", "32", "--validation", "200",
        "--validate-every", "3", "--ema", "0.9", "--dropout", "0.1", "--threads", "2", .. more,
    ];

    private Task<(int Exit, string Output, string Error)> Train(string run, params string[] more) => Run(default, Arguments(run, ["--steps", "6", .. more]));

    private static async Task<(int Exit, string Output, string Error)> Run(CancellationToken cancel, params string[] args)
    {
        using StringWriter output = new(), error = new();
        int exit = await MambaCommand.RunAsync(args, output, error, cancel);
        return (exit, output.ToString(), error.ToString());
    }
}
