using System.Diagnostics;
using Mamba.Managed.Cli;
using Mamba.Managed.Tests.Training;

namespace Mamba.Managed.Tests.Cli;

/// <summary>The command as a process: signals, readers that go, handles that are closed, files without a size.</summary>
public class ProcessTests
{
    private string folder = "";

    [OneTimeSetUp]
    public void RequireLinux() => Assume.That(OperatingSystem.IsLinux(), "signals and handles of a shell");

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-process").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void A_signal_ends_a_command_that_waits_for_its_prompt([Values("INT", "TERM", "HUP")] string signal, [Values] bool isPipe)
    {
        (string name, int code) = signal == "INT" ? CommandRun.Interrupt : signal == "HUP" ? CommandRun.HangUp : (signal, 143);
        string pipe = Path.Combine(folder, "pipe");
        Process.Start("mkfifo", [pipe]).WaitForExit();
        using Process process = CommandRun.Start("exec \"$@\"", isPipe ? ["generate", "--prompt-file", pipe] : ["generate"]);
        Task<string> error = process.StandardError.ReadToEndAsync();

        // A signal that comes before the command is ready ends it in the same way.
        Thread.Sleep(1000);
        CommandRun.Signal(process, name);
        CommandRun.AssertEnds(process);
        Assert.That((process.ExitCode, error.Result), Is.EqualTo((code, "")));
    }

    [Test]
    public void A_signal_ends_a_text_that_is_generated()
    {
        using Process process = CommandRun.Start("exec \"$@\"", "generate", "--prompt", "ROMEO:\n", "--max-tokens", "100000000");
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadLine();
        CommandRun.Signal(process, CommandRun.Interrupt.Name);
        process.StandardOutput.ReadToEnd();
        CommandRun.AssertEnds(process);
        Assert.That((process.ExitCode, error.Result), Is.EqualTo((CommandRun.Interrupt.Code, "")));
    }

    [Test]
    public void A_training_saves_at_a_first_signal_and_ends_at_a_second([Values] bool twice)
    {
        string run = Path.Combine(folder, "run"), data = Path.Combine(folder, "data.txt");
        File.WriteAllText(data, string.Concat(Enumerable.Repeat("some text to read. ", 20_000)));
        using Process process = CommandRun.Start("exec \"$@\"", "train", "--data", data, "--output", run, "--steps", "1000000", "--threads", "1", "--batch", twice ? "256" : "2", "--d-model", "32");
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadLine();
        CommandRun.Signal(process, "TERM");
        string? line = process.StandardOutput.ReadLine();
        while (line is not null && !line.StartsWith("stopping:", StringComparison.Ordinal))
        {
            line = process.StandardOutput.ReadLine();
        }

        if (twice)
        {
            CommandRun.Signal(process, "TERM");
        }

        string rest = process.StandardOutput.ReadToEnd();
        CommandRun.AssertEnds(process);
        Assert.That((process.ExitCode, error.Result), Is.EqualTo((143, "")));
        if (!twice)
        {
            // A signal before the first step has nothing to save.
            Assert.That(line is null || (rest.Contains("stopped after step") && Directory.GetDirectories(run, "step-*").Length > 0), Is.True, rest);
        }
    }

    [TestCase("generate", "--prompt", "ROMEO:\n", "--max-tokens", "100000000")]
    [TestCase("train", "--data", "DATA", "--output", "RUN", "--steps", "1000000", "--d-model", "8", "--layers", "1", "--batch", "1", "--length", "16")]
    public void A_command_ends_when_nobody_reads_what_it_prints(params string[] args)
    {
        string run = Path.Combine(folder, "run"), data = Path.Combine(folder, "data.txt");
        File.WriteAllText(data, string.Concat(Enumerable.Repeat("some text to read. ", 2000)));
        using Process process = CommandRun.Start("exec \"$@\"", [.. args.Select(arg => arg.Replace("DATA", data, StringComparison.Ordinal).Replace("RUN", run, StringComparison.Ordinal))]);
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadLine();
        process.StandardOutput.Close();
        CommandRun.AssertEnds(process);
        Assert.That((process.ExitCode, error.Result), Is.EqualTo((141, "")));
        Assert.That(args[0] != "train" || Directory.GetDirectories(run, "step-*").Length > 0, Is.True, "what was trained is saved");
    }

    [TestCase("\"$@\" <&-", 1, "", "mamba: standard input: expected a prompt", "generate")]
    [TestCase("\"$@\" <&-", 0, "a", "prompt: 1 tokens", "generate", "--prompt", "a", "--max-tokens", "2")]
    [TestCase("\"$@\" >&-", 1, "", "mamba: standard output: expected", "generate", "--prompt", "a", "--max-tokens", "2")]
    [TestCase("\"$@\" >&-", 1, "", "mamba: standard output: expected", "info")]
    [TestCase("\"$@\" 2>&-", 0, "a", "", "generate", "--prompt", "a", "--max-tokens", "2")]
    [TestCase("\"$@\" 2>&-", 1, "", "", "info", "no-such-model")]
    [TestCase("\"$@\" <&- >&- 2>&-", 1, "", "", "generate", "--prompt", "a", "--max-tokens", "2")]
    [TestCase("\"$@\" >/dev/full", 1, "", "mamba: standard output: No space left", "generate", "--prompt", "a", "--max-tokens", "2")]
    [TestCase("\"$@\" >/dev/full", 1, "", "mamba: standard output: No space left", "info")]
    [TestCase("\"$@\" >/dev/full", 2, "", "mamba: Unrecognized", "nothing")]
    [TestCase("\"$@\" >&-", 2, "", "mamba: --seed: expected", "generate", "--seed", "x")]
    [TestCase("\"$@\" 2>/dev/full", 1, "", "", "info", "no-such-model")]
    public void Closed_and_full_handles_are_no_crash(string script, int exit, string output, string error, params string[] args)
    {
        (int Exit, string Output, string Error) found = CommandRun.Shell(script, args);
        Assert.That(found.Exit, Is.EqualTo(exit), found.Error);
        Assert.That(found.Output, Does.StartWith(output));
        Assert.That(found.Error, error.Length == 0 ? Is.Empty : Does.Match($@"^{error}[^\n]*\n$"));
    }

    [TestCase("perplexity", "--file", "PIPE")]
    [TestCase("tokenize", "--file", "PIPE", "--output", "out.tokens")]
    [TestCase("perplexity", "--file", "/dev/zero")]
    [TestCase("perplexity", "--file", "LINK")]
    [TestCase("train", "--data", "LINK.jsonl", "--output", "never")]
    [TestCase("generate", "--prompt-file", "/dev/zero")]
    public void A_file_without_a_size_is_refused(params string[] args)
    {
        string pipe = Path.Combine(folder, "pipe"), link = Path.Combine(folder, "link");
        Process.Start("mkfifo", [pipe]).WaitForExit();
        File.CreateSymbolicLink(link, "/dev/zero");
        File.CreateSymbolicLink(link + ".jsonl", "/dev/zero");
        (int exit, string output, string error) = CommandRun.Shell("\"$@\"", [.. args.Select(arg => arg.Replace("PIPE", pipe, StringComparison.Ordinal).Replace("LINK", link, StringComparison.Ordinal))]);
        Assert.That((exit, output), Is.EqualTo((1, "")));
        Assert.That(error, Does.Match(@"^mamba: [^\n]+: expected a (file|prompt)[^\n]+\n$"));
    }

    [TestCase("logits", "--tokens", "1", "--output", "PIPE")]
    [TestCase("logits", "--tokens", "1", "--output", "LINK")]
    [TestCase("logits", "--tokens", "1", "--output", "LINK/no/file")]
    [TestCase("tokenize", "--file", "TEXT", "--output", "PIPE")]
    [TestCase("tokenize", "--file", "TEXT", "--output", ".")]
    [TestCase("convert", "MODEL", "TEXT")]
    [TestCase("convert", "MODEL", "TEXT/model.gguf")]
    public void An_output_never_replaces_a_pipe_or_device(params string[] args)
    {
        string pipe = Path.Combine(folder, "pipe"), link = Path.Combine(folder, "link"), text = Path.Combine(folder, "text");
        Process.Start("mkfifo", [pipe]).WaitForExit();
        File.CreateSymbolicLink(link, "/dev/zero");
        File.WriteAllText(text, "text");
        string[] before = Directory.GetFileSystemEntries(folder);
        (int exit, _, string error) = CommandRun.Shell("\"$@\"", [.. args.Select(arg => arg
            .Replace("PIPE", pipe, StringComparison.Ordinal).Replace("LINK", link, StringComparison.Ordinal)
            .Replace("TEXT", text, StringComparison.Ordinal).Replace("MODEL", Options.DefaultModel, StringComparison.Ordinal))]);
        Assert.That(exit, Is.EqualTo(1));
        Assert.That(error, Does.Match(@"^mamba: [^\n]+: expected (the name of a file|a folder)[^\n]+, found [^\n]+\n$"));
        Assert.That(Directory.GetFileSystemEntries(folder), Is.EquivalentTo(before));
        Assert.That(File.ResolveLinkTarget(link, false)!.FullName, Is.EqualTo("/dev/zero"));
    }

    [Test]
    public void The_null_device_is_special() => Assert.That(
        (UntrustedFile.IsSpecial("/dev/null"), UntrustedFile.IsSpecial(typeof(ProcessTests).Assembly.Location), UntrustedFile.IsSpecial(Path.Combine(folder, "none"))),
        Is.EqualTo((true, false, false)));

    [Test]
    public void A_prompt_may_come_through_a_pipe()
    {
        Assert.That(CommandRun.Shell("printf ROMEO: | \"$@\"", "generate", "--prompt-file", "/dev/stdin", "--max-tokens", "2").Output, Does.StartWith("ROMEO:"));
        Assert.That(CommandRun.Shell("printf '\\357\\273\\277ROMEO:' | \"$@\"", "generate", "--max-tokens", "2").Output, Does.StartWith("ROMEO:"));
    }

    [Test]
    public void A_command_that_ignores_the_end_of_its_terminal_goes_on()
    {
        using Process process = CommandRun.Start("trap '' HUP; exec \"$@\"", "generate", "--prompt", "a", "--max-tokens", "2000");
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.StandardOutput.Read();
        CommandRun.Signal(process, "HUP");
        process.StandardOutput.ReadToEnd();
        CommandRun.AssertEnds(process);
        Assert.That(process.ExitCode, Is.Zero, error.Result);
    }

    [Test]
    public void A_folder_is_renamed_when_it_is_whole_or_removed()
    {
        string final = Path.Combine(folder, "final");
        using (TemporaryFolder broken = new(final))
        {
            File.WriteAllText(Path.Combine(broken.Path, "part"), "");
        }

        Assert.That(Directory.GetFileSystemEntries(folder), Is.Empty);
        using (TemporaryFolder whole = new(final))
        {
            File.WriteAllText(Path.Combine(whole.Path, "part"), "");
            whole.Complete();
        }

        Assert.That(Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories), Is.EquivalentTo(new[] { final, Path.Combine(final, "part") }));
    }

    [Test]
    public void A_process_that_ends_in_the_middle_of_a_write_leaves_no_part([Values] bool isFolder)
    {
        string path = Path.Combine(folder, "file");
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [typeof(TrainingChild).Assembly.Location, isFolder ? "exit-in-folder" : "exit-in-write", path]))!;
        CommandRun.AssertEnds(process);
        Assert.That((process.ExitCode, Directory.GetFileSystemEntries(folder)), Is.EqualTo((7, Array.Empty<string>())));
    }
}
