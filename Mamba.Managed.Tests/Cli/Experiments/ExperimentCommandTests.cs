using System.Text.Json;
using System.Xml.Linq;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Cli;

namespace Mamba.Managed.Tests.Cli.Experiments;

/// <summary><c>mamba experiment</c> from the outside: what it writes, goes on from and refuses.</summary>
public class ExperimentCommandTests
{
    private string root = "";

    [SetUp]
    public void Prepare() => root = Directory.CreateTempSubdirectory("mamba-experiment").FullName;

    [TearDown]
    public void Remove() => Directory.Delete(root, recursive: true);

    [TestCase("selective-copying", 16)]
    [TestCase("induction-heads", 1)]
    public async Task A_run_leaves_a_model_its_accuracy_at_every_length_and_pictures(string task, int answers)
    {
        string run = Path.Combine(root, "run");
        (int exit, string output, string error) = await Run(default, Arguments(task, run, "--steps", "3"));
        Assert.That(exit, Is.Zero, error);
        Assert.That(output, Does.Contain("step 3: loss").And.Contain("% right").And.Contain("length 128: "));
        Assert.That(Opened.Model(run).Config.VocabSize, Is.EqualTo(16));
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "accuracy.json")));
        Assert.That(json.RootElement.GetProperty("task").GetString(), Is.EqualTo(task));
        JsonElement[] found = [.. json.RootElement.GetProperty("accuracy").EnumerateArray()];
        Assert.That(found.Select(at => at.GetProperty("length").GetInt32()), Is.EqualTo(new[] { 64, 128 }));
        Assert.That(found.Select(at => at.GetProperty("asked").GetInt32()), Is.All.EqualTo(2 * answers));
        Assert.That(File.ReadAllLines(Path.Combine(run, "metrics.jsonl"))[^1], Does.Contain("\"accuracy\":"));
        foreach (string picture in new[] { "curve", "accuracy" })
        {
            Assert.That(File.ReadAllBytes(Path.Combine(run, picture + ".png")).AsSpan(1, 3).SequenceEqual("PNG"u8), Is.True);
            Assert.That(XDocument.Load(Path.Combine(run, picture + ".svg")).Root!.Name.LocalName, Is.EqualTo("svg"));
        }
    }

    [Test]
    public async Task An_interrupted_run_exits_130_and_goes_on_to_the_bytes_of_one_that_was_not()
    {
        string whole = Path.Combine(root, "whole"), parts = Path.Combine(root, "parts");
        Assert.That((await Run(default, Arguments("induction-heads", whole, "--steps", "4"))).Exit, Is.Zero);
        Assert.That((await Run(new CancellationToken(true), Arguments("induction-heads", parts, "--steps", "4"))).Exit, Is.EqualTo(130));
        (int exit, _, string error) = await Run(default, Arguments("induction-heads", parts, "--steps", "4", "--resume"));
        Assert.That(exit, Is.Zero, error);
        foreach (string file in new[] { "model.safetensors", "accuracy.json", Path.Combine("step-00000004", "optimiser.safetensors") })
        {
            Assert.That(File.ReadAllBytes(Path.Combine(parts, file)), Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, file))), file);
        }
    }

    [TestCase("experiment")]
    [TestCase("experiment", "nonsense", "--output", "x")]
    [TestCase("experiment", "induction-heads")]
    [TestCase("experiment", "induction-heads", "--output", "x", "--length", "2")]
    [TestCase("experiment", "selective-copying", "--output", "x", "--length", "15")]
    [TestCase("experiment", "selective-copying", "--output", "x", "--steps", "many")]
    [TestCase("experiment", "selective-copying", "--output", "x", "--longest", "1")]
    public async Task A_usage_error_exits_2_with_help(params string[] args)
    {
        (int exit, string output, string error) = await Run(default, args);
        Assert.That(exit, Is.EqualTo(2), error);
        Assert.That(output + error, Does.Contain("Usage:"));
    }

    [TestCase("--learning-rate", "0")]
    [TestCase("--learning-rate", "NaN")]
    [TestCase("--batch", "100000000")]
    [TestCase("--length", "16777216", "--batch", "16")]
    [TestCase("--resume")]
    public async Task Bad_input_gives_one_line_and_exit_1(params string[] args)
    {
        string run = Path.Combine(root, "run");
        (int exit, string output, string error) = await Run(default, ["experiment", "induction-heads", "--output", run, "--threads", "1", .. args]);
        Assert.That(exit, Is.EqualTo(1), output + error);
        Assert.That(error, Does.Match(@"^mamba: [^\n]+\n$"));
        Assert.That(Directory.Exists(run), Is.False);
    }

    [Test]
    public async Task A_full_folder_and_a_run_of_the_other_task_are_refused()
    {
        string run = Path.Combine(root, "run");
        Assert.That((await Run(default, Arguments("induction-heads", run, "--steps", "1"))).Exit, Is.Zero);
        Assert.That((await Run(default, Arguments("induction-heads", run, "--steps", "2"))).Error, Does.StartWith("mamba: ").And.Contain("--resume"));
        Assert.That((await Run(default, Arguments("selective-copying", run, "--steps", "2", "--resume"))).Error, Does.StartWith("mamba: ").And.Contain("induction-heads"));
    }

    private static string[] Arguments(string task, string run, params string[] more) =>
    [
        "experiment", task, "--output", run, "--length", "20", "--batch", "2", "--sequences", "2", "--longest", "128", "--threads", "1", .. more,
    ];

    private static async Task<(int Exit, string Output, string Error)> Run(CancellationToken cancel, params string[] args)
    {
        using StringWriter output = new(), error = new();
        int exit = await MambaCommand.RunAsync(args, output, error, cancel);
        return (exit, output.ToString(), error.ToString());
    }
}
