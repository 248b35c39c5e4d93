using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Mamba.Managed.Cli;

namespace Mamba.Managed.Tests.Cli;

/// <summary>What a user types is taken as it is written, or refused in one line; no value of an option is an unhandled exception.</summary>
public class ArgumentTests
{
    private static readonly string[] Nasty =
    [
        "", " ", " 1", "1 ", "0,5", "1,000", "1 000", "1_000", "0x10", "1e3x", "NaN", "-NaN", "Infinity", "-Infinity", "1e999", "-1", "٣", "½",
        "99999999999999999999", "@file", "\0", "\e]0;x\a", "\u202Ex", "a\r\nb", "--", "-", new string('9', 5000), new string('x', 1 << 16),
    ];

    private static readonly string[] Extreme = ["0", "2147483647", "9223372036854775807", "1e308"];

    private string folder = "";

    private static IEnumerable<(string[] Path, Option Option)> AllOptions => Options(MambaCommand.Create(new Option<bool>("--verbose")), []);

    private string Data => Path.Combine(folder, "data.txt");

    [SetUp]
    public void MakeFolder()
    {
        folder = Directory.CreateTempSubdirectory("mamba-arguments").FullName;
        File.WriteAllText(Data, string.Concat(Enumerable.Repeat("some text to read. ", 300)));
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [TestCase("@alice", "64 97 108 105 99 101")]
    [TestCase("@FILE", null)]
    [TestCase("-x", "45 120")]
    [TestCase("-hello", "45 104 101 108 108 111")]
    [TestCase("/h", "47 104")]
    [TestCase("--json", "45 45 106 115 111 110")]
    public async Task A_text_is_a_text_whatever_it_begins_with(string text, string? expected)
    {
        string file = Path.Combine(folder, "file.txt");
        await File.WriteAllTextAsync(file, "secret");
        text = text.Replace("FILE", file, StringComparison.Ordinal);
        expected ??= string.Join(' ', text.Select(letter => (int)letter));
        Assert.That((await CommandRun.InProcess("tokenize", text)).Output.Trim(), Is.EqualTo(expected));
        Assert.That((await CommandRun.InProcess("tokenize", "--", text)).Output.Trim(), Is.EqualTo(expected));
    }

    [TestCase("@alice")]
    [TestCase("-5 degrees")]
    [TestCase("--stop")]
    [TestCase("--json")]
    [TestCase("--help")]
    [TestCase("-h")]
    [TestCase("--")]
    [TestCase("=x:y")]
    [TestCase("[suggest]")]
    public async Task A_prompt_and_a_stop_may_look_like_an_option(string text)
    {
        (int exit, string output, string error) = await CommandRun.InProcess("generate", "--prompt", text, "--max-tokens", "3", "--temperature", "0");
        Assert.That((exit, output.StartsWith(text, StringComparison.Ordinal)), Is.EqualTo((0, true)), error);
        Assert.That((await CommandRun.InProcess("generate", "--prompt", "a", "--stop", text, "--max-tokens", "3")).Exit, Is.Zero);
        Assert.That((await CommandRun.InProcess("generate", $"--prompt={text}", "--max-tokens", "3")).Output, Does.StartWith(text));
    }

    [TestCase("--temperature", "0,5")]
    [TestCase("--temperature", "1 000")]
    [TestCase("--top-p", "NaN")]
    [TestCase("--max-tokens", "1,000")]
    [TestCase("--max-tokens", "1_000")]
    [TestCase("--max-tokens", " 1")]
    [TestCase("--max-tokens", "1.0")]
    [TestCase("--seed", "0x10")]
    [TestCase("--seed", "-1")]
    public async Task A_number_that_is_none_is_named_with_its_option(string option, string value)
    {
        (int exit, _, string error) = await CommandRun.InProcess("generate", "--prompt", "x", option, value);
        Assert.That(exit, Is.EqualTo(2));
        Assert.That(error, Does.Match($@"^mamba: {option}: expected [^\n]+, found '?{value}'?\r?\n$"));
    }

    [TestCase("--learning-rate", "1,5")]
    [TestCase("--d-model", "1,024")]
    [TestCase("--validation", "0,1")]
    public async Task Numbers_of_a_training_have_a_decimal_point(string option, string value)
    {
        (int exit, _, string error) = await CommandRun.InProcess("train", "--data", Data, "--output", Path.Combine(folder, "run"), option, value);
        Assert.That((exit, error), Is.EqualTo((2, error)));
        Assert.That(error, Does.StartWith($"mamba: {option}: expected ").And.Contain($"found '{value}'"));
    }

    [Test]
    public async Task An_empty_prompt_is_one_in_both_spellings()
    {
        (int Exit, string Output, string Error) apart = await CommandRun.InProcess("generate", "--prompt", ""), joined = await CommandRun.InProcess("generate", "--prompt=");
        Assert.That(joined, Is.EqualTo(apart));
        Assert.That(apart.Error, Does.Contain("found an empty prompt"));
    }

    [TestCase("MODEL", "info", "")]
    [TestCase("MODEL", "tokenize", "", "x")]
    [TestCase("MODEL", "detokenize", "", "1")]
    [TestCase("DST", "convert", "x", "")]
    [TestCase("--data", "train", "--output", "x", "--data", "")]
    [TestCase("--prompt-file", "generate", "--prompt-file", "")]
    [TestCase("--output", "tokenize", "--file", "x", "--output", "")]
    public async Task An_empty_name_is_told_apart(string name, params string[] args)
    {
        (int exit, _, string error) = await CommandRun.InProcess(args);
        Assert.That((exit, error.TrimEnd()), Is.EqualTo((2, $"mamba: {name}: expected a value, found an empty one")));
    }

    [TestCase("nothing", "nothing")]
    [TestCase("\e]0;x\agenerate", @"\u001b]0;x\u0007generate")]
    public async Task An_unknown_command_is_named_and_commands_no_terminal(string command, string shown)
    {
        (int exit, string output, string error) = await CommandRun.InProcess(command);
        Assert.That((exit, error.Split('\n').Length), Is.EqualTo((2, 2)));
        Assert.That(error, Does.Contain($"'{shown}'"));
        Assert.That(output, Does.Contain("Usage:").And.Not.Contain("\e"));
        Assert.That((await CommandRun.InProcess("genrate")).Output, Does.Match(@"genrate[^\n]*\r?\ngenerate\r?\n").And.Not.Contain("\n-h\n"));
    }

    [Test]
    public async Task No_value_of_any_option_is_more_than_a_line()
    {
        foreach ((string[] path, Option option) in AllOptions.Where(found => found.Option.ValueType != typeof(bool)))
        {
            foreach (string value in Nasty)
            {
                AssertRefused(await CommandRun.InProcess([.. path, .. Needed(path, option), option.Name, value]), $"{string.Join(' ', path)} {option.Name} '{value}'");
            }
        }
    }

    // Canceled from the first, so that what is accepted ends before its first step or token.
    [TestCase("train")]
    [TestCase("experiment", "selective-copying")]
    [TestCase("experiment", "induction-heads")]
    [TestCase("generate", "--prompt", "x")]
    [TestCase("perplexity")]
    [TestCase("quantize-report")]
    public async Task No_number_of_any_size_is_an_unhandled_exception(params string[] args)
    {
        string[] path = [.. args.TakeWhile(arg => arg[0] != '-')];
        int round = 0;
        foreach (Option option in AllOptions.Where(found => found.Path.SequenceEqual(path)).Select(found => found.Option).Where(option => !(option.ValueType == typeof(bool) || option.ValueType == typeof(string) || option.ValueType == typeof(string[]))))
        {
            foreach (string value in Extreme)
            {
                using CancellationTokenSource canceled = new();
                await canceled.CancelAsync();
                string run = Path.Combine(folder, (round++).ToString(CultureInfo.InvariantCulture));
                string[] needed = path[0] switch
                {
                    "train" => ["--data", Data, "--output", run, "--shape", "tiny", .. option.Name is "--d-model" ? (string[])[] : ["--d-model", "8"], .. option.Name is "--layers" ? (string[])[] : ["--layers", "1"], .. option.Name is "--threads" ? (string[])[] : ["--threads", "1"]],
                    "experiment" => ["--output", run],
                    "generate" => [],
                    _ => ["--file", Data],
                };
                (int Exit, string, string) result = await CommandRun.InProcess(canceled.Token, [.. args, .. needed, option.Name, value]);
                if (result.Exit is not (0 or 130))
                {
                    AssertRefused(result, $"{option.Name} {value}");
                }
            }
        }
    }

    [Test]
    public async Task A_model_larger_than_memory_is_refused_before_its_weights_are_drawn()
    {
        string config = Path.Combine(folder, "config.json");
        await File.WriteAllTextAsync(config, """{"model_type":"mamba","hidden_size":65536,"intermediate_size":16000,"num_hidden_layers":4000,"vocab_size":256}""");
        (int exit, _, string error) = await CommandRun.InProcess("train", "--data", Data, "--config", config, "--output", Path.Combine(folder, "run"));
        Assert.That(exit, Is.EqualTo(1));
        Assert.That(error, Does.Match(@"^mamba: [^\n]+ parameters: expected to fit [\d.]+ GB of memory, found that training needs about \d+[\d.]+ GB[^\n]*\n$"));
    }

    [Test]
    public void A_line_is_short_and_commands_no_terminal()
    {
        Assert.That(Terminal.Line("a\r\nb\tc\e]0;x\a\u009B1m\u202Ed\u2066"), Is.EqualTo(@"a b c\u001b]0;x\u0007\u009b1m\u202ed\u2066"));
        string cut = Terminal.Line("begin" + new string('\e', 1 << 20) + "end");
        Assert.That(cut, Has.Length.LessThan(1990));
        Assert.That(cut, Does.StartWith("begin").And.Contain(" ... ").And.EndWith("end"));
        Assert.That(Terminal.Escape("a\n\tb\r\nc\rd\e\u007F"), Is.EqualTo("a\n\tb\r\nc\\u000dd\\u001b\\u007f"));
    }

    [Test]
    public void JSON_commands_no_terminal_and_means_the_same()
    {
        const string Text = "a\n\"é\e\u009B\u202E\u2028\U0001F600";
        using StringWriter output = new();
        JsonOutput.Write(output, json => json.WriteString("text", Text));
        Assert.That(output.ToString().TrimEnd().Any(letter => char.IsControl(letter) || letter == '\u202E'), Is.False);
        Assert.That(JsonDocument.Parse(output.ToString()).RootElement.GetProperty("text").GetString(), Is.EqualTo(Text));
    }

    private static IEnumerable<(string[] Path, Option Option)> Options(Command command, string[] path) =>
        command.Options.Where(option => option.Name is not ("--help" or "--version")).Select(option => (path, option))
            .Concat(command.Subcommands.SelectMany(inner => Options(inner, [.. path, inner.Name])));

    // No command gets as far as to work: what it needs is not there.
    private string[] Needed(string[] path, Option option)
    {
        string missing = Path.Combine(folder, "missing");
        string[] needed = path is [] ? [] : path[0] switch
        {
            "generate" => [missing, .. option.Name.StartsWith("--prompt", StringComparison.Ordinal) ? (string[])[] : ["--prompt", "x"]],
            "tokenize" or "detokenize" => [missing, .. option.Name is "--output" or "--file" ? (string[])[] : ["text"]],
            "convert" => [missing, missing],
            "train" or "experiment" or "bench" => [],
            _ => [missing],
        };
        (string Name, string Value)[] required = path is [] ? [] : path[0] switch
        {
            "logits" => [("--tokens", "1"), ("--output", missing)],
            "perplexity" or "quantize-report" => [("--file", missing)],
            "train" => [("--data", missing), ("--output", Path.Combine(Data, "run"))],
            "experiment" => [("--output", Data), ("--threads", "none")],
            "bench" => [("--shape", "2.8b"), ("--threads", "none")],
            "tokenize" => option.Name == "--output" ? [("--file", missing)] : option.Name == "--file" ? [("--output", missing)] : [],
            _ => [],
        };
        return [.. needed, .. required.Where(pair => pair.Name != option.Name).SelectMany(pair => (string[])[pair.Name, pair.Value])];
    }

    private static void AssertRefused((int Exit, string Output, string Error) result, string what)
    {
        Assert.That(result.Exit, Is.EqualTo(1).Or.EqualTo(2), $"{what}: {result.Error}");
        string[] lines = result.Error.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.InRange(1, 2), what);
        foreach (string line in lines)
        {
            Assert.That(line, Does.StartWith("mamba: ").And.Length.LessThanOrEqualTo(2000), what);
            Assert.That(line.Any(letter => char.IsControl(letter) || letter == '\u202E'), Is.False, what);
        }
    }
}
