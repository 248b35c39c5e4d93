using System.Text;
using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;
using Mamba.Managed.Tests.Tokenizers;

namespace Mamba.Managed.Tests.Cli;

/// <summary>What <c>mamba train</c> and <c>mamba tokenize</c> make of their data and of the model they begin with.</summary>
public class TrainingDataCommandTests
{
    private string root = "";

    private string Model => Path.Combine(root, "model");

    [SetUp]
    public async Task Prepare()
    {
        root = Directory.CreateTempSubdirectory("mamba-data").FullName;
        MambaConfig config = new() { DModel = 32, DInner = 64, NLayer = 1, VocabSize = 8, EndTokenId = 5 };
        Checkpoint.Save(Model, MambaLanguageModel.Create(config, 1));
        await File.WriteAllTextAsync(Path.Combine(Model, "tokenizer.json"), TokenizerFileTests.Good);
    }

    [TearDown]
    public void Remove() => Directory.Delete(root, recursive: true);

    [Test]
    public async Task A_model_learns_to_stop_unless_told_otherwise()
    {
        string data = Write("data.jsonl", string.Concat(Enumerable.Repeat("{\"text\":\"abcc\"}\n{\"text\":\"bca\"}\n", 60)));
        JsonElement ended = await Generated("ended", data), open = await Generated("open", data, "--no-document-end");
        Assert.That((ended.GetProperty("text").GetString(), ended.GetProperty("finish_reason").GetString()), Is.EqualTo(("ca", "end_token")));
        Assert.That(open.GetProperty("finish_reason").GetString(), Is.EqualTo("length"));
    }

    [Test]
    public async Task A_run_goes_on_with_or_without_end_tokens_as_it_was_made()
    {
        string data = Write("data.jsonl", string.Concat(Enumerable.Repeat("{\"text\":\"abcc\"}\n{\"text\":\"bca\"}\n", 60)));
        foreach (string[] option in new string[][] { [], ["--no-document-end"] })
        {
            string run = Path.Combine(root, "run" + option.Length);
            string[] args = ["train", "--data", data, "--init", Model, "--output", run, "--batch", "2", "--length", "8", "--schedule", "constant", "--threads", "1"];
            Assert.That((await CommandRun.InProcess([.. args, "--steps", "2", .. option])).Exit, Is.Zero);
            (int exit, _, string error) = await CommandRun.InProcess([.. args, "--steps", "4", "--resume"]);
            Assert.That((exit, error), Is.EqualTo((0, "")));
        }

        Assert.That(
            (await CommandRun.InProcess("train", "--data", data, "--init", Model, "--output", Path.Combine(root, "run0"), "--batch", "2", "--length", "8", "--schedule", "constant", "--steps", "6", "--resume", "--no-document-end")).Error,
            Does.Contain("expected a run with data"));
    }

    [Test]
    public async Task A_training_begins_from_a_GGUF_file_with_its_tokenizer()
    {
        string gguf = Path.Combine(root, "m.gguf"), run = Path.Combine(root, "run"), data = Write("data.txt", string.Concat(Enumerable.Repeat("abcab", 100)));
        ModelConversion.ToGguf(Model, gguf, GgufFileType.F32);
        (int exit, _, string error) = await CommandRun.InProcess("train", "--init", gguf, "--data", data, "--output", run, "--steps", "2", "--batch", "2", "--length", "16", "--threads", "1");
        Assert.That(exit, Is.Zero, error);
        string[] ids = [(await CommandRun.InProcess("tokenize", Model, "abc<|endoftext|>ab")).Output, (await CommandRun.InProcess("tokenize", run, "abc<|endoftext|>ab")).Output];
        Assert.That(ids[1], Is.EqualTo(ids[0]).And.Contains("4 5 3"));
        Assert.That((await CommandRun.InProcess("generate", run, "--prompt", "a", "--max-tokens", "2")).Exit, Is.Zero);
    }

    [Test]
    public async Task A_bad_id_is_told_before_the_first_step()
    {
        string good = "{\"tokens\":[1,2,3,4,1,2,3,4]}\n";
        string data = Write("data.jsonl", string.Concat(Enumerable.Repeat(good, 20)) + "{\"tokens\":[1,8]}\n" + "{\"tokens\":[-1]}\n" + string.Concat(Enumerable.Repeat(good, 20)));
        (int exit, _, string error) = await CommandRun.InProcess("train", "--init", Model, "--data", data, "--output", Path.Combine(root, "run"), "--steps", "2", "--batch", "2", "--length", "16", "--threads", "1");
        Assert.That(exit, Is.Zero, error);
        Assert.That(error, Does.Contain("line 21: expected token ids from 0 to 7, found 8").And.Contain("line 22: ").And.Contain("2 bad lines were left out"));

        // The tokenizer has seven tokens, one fewer than the model.
        string tokens = Path.Combine(root, "data.tokens"), seven = Write("seven.jsonl", good + "{\"tokens\":[7]}\n");
        (exit, string output, error) = await CommandRun.InProcess("tokenize", Model, "--file", seven, "--output", tokens);
        Assert.That((exit, output), Is.EqualTo((0, $"{tokens}: 1 documents, 8 tokens{Environment.NewLine}")));
        Assert.That(error, Does.Contain("line 2: expected token ids from 0 to 6, found 7"));
    }

    [TestCase("data.jsonl", "\uFEFF{\"text\":\"abc\"}\n\uFEFF{\"text\":\"bca\"}\n", 2)]
    [TestCase("data.ndjson", "{\"text\":\"abc\"}\n{\"text\":\"bca\"}\n", 2)]
    [TestCase("data.jsonl", "{\"text\":null,\"tokens\":[1]}\n{\"text\":\"\"}\n\"abc\"", 2)]
    public async Task Documents_are_read_as_people_write_them(string name, string text, int documents)
    {
        string tokens = Path.Combine(root, "out\e[31m.tokens");
        (int exit, string output, string error) = await CommandRun.InProcess("tokenize", Model, "--file", Write(name, text), "--output", tokens);
        Assert.That((exit, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.Contain($@"out\u001b[31m.tokens: {documents} documents"));
    }

    [Test]
    public async Task What_a_conversion_leaves_behind_is_a_line()
    {
        string[] names = [.. Enumerable.Range(0, 20).Select(i => $"{i:d2}\e[31m\u202E" + new string('n', 230))];
        foreach (string name in names)
        {
            await File.WriteAllTextAsync(Path.Combine(Model, name), "");
        }

        (int exit, _, string error) = await CommandRun.InProcess("convert", Model, Path.Combine(root, "m.gguf"));
        Assert.That((exit, error.Length < 2000, error.Count(char.IsControl)), Is.EqualTo((0, true, 1)));
        Assert.That(error, Does.Contain(@"00\u001b[31m\u202en"));
    }

    [Test]
    public async Task A_mark_at_the_beginning_of_a_file_is_not_measured_and_not_continued()
    {
        const string Text = "the quick brown fox jumps over the lazy dog.";
        string plain = Write("plain.txt", Text), marked = Path.Combine(root, "marked.txt"), wide = Path.Combine(root, "wide.txt");
        await File.WriteAllTextAsync(marked, Text, new UTF8Encoding(true));
        await File.WriteAllTextAsync(wide, Text, Encoding.Unicode);
        Assert.That((await CommandRun.InProcess("perplexity", "--file", marked)).Output, Is.EqualTo((await CommandRun.InProcess("perplexity", "--file", plain)).Output).And.Not.Empty);
        Assert.That((await CommandRun.InProcess("generate", "--prompt-file", marked, "--max-tokens", "1")).Output, Does.StartWith(Text));
        Assert.That((await CommandRun.InProcess("perplexity", "--file", wide)).Error, Does.Match("^mamba: .*wide.txt: [^\n]*UTF-16[^\n]*\n$"));
        Assert.That((await CommandRun.InProcess("generate", "--prompt-file", wide)).Error, Does.Match("^mamba: .*wide.txt: [^\n]*UTF-16[^\n]*\n$"));
    }

    private async Task<JsonElement> Generated(string name, string data, params string[] more)
    {
        string run = Path.Combine(root, name);
        (int exit, _, string error) = await CommandRun.InProcess(
            ["train", "--init", Model, "--data", data, "--output", run, "--steps", "120", "--batch", "4", "--length", "16", "--learning-rate", "1e-2", "--validation", "0", "--save-every", "0", "--threads", "1", .. more]);
        Assert.That(exit, Is.Zero, error);
        (exit, string output, error) = await CommandRun.InProcess("generate", run, "--prompt", "b", "--temperature", "0", "--max-tokens", "20", "--json");
        Assert.That(exit, Is.Zero, error);
        return JsonDocument.Parse(output).RootElement;
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(root, name);
        File.WriteAllText(path, text);
        return path;
    }
}
