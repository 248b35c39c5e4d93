using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Cli;
using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tests.Cli;

/// <summary>The command as a shell sees it: exit codes, standard output, standard error, files.</summary>
public class MambaCommandTests
{
    private string folder = "";

    private static string Fixtures => Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-test").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public async Task Generate_streams_a_text_and_reports_speed_beside_it()
    {
        (int exit, string output, string error) = await Run("generate", "--prompt", "ROMEO:", "--max-tokens", "20", "--temperature", "0");
        Assert.That(exit, Is.Zero, error);
        Assert.That(output, Does.StartWith("ROMEO:").And.Length.GreaterThan(20));
        Assert.That(error, Does.Match(@"^prompt: 6 tokens, [\d.]+ tokens/s; generation: 20 tokens, [\d.]+ tokens/s\r?\n$"));
    }

    [Test]
    public async Task Generate_gives_the_same_text_for_the_same_seed_and_ends_before_a_stop()
    {
        string[] args = ["generate", "--prompt", "JULIET:\n", "--max-tokens", "60", "--seed", "7", "--top-k", "20", "--top-p", "0.9", "--min-p", "0.01", "--repetition-penalty", "1.1", "--json"];
        JsonElement first = Json(await Run(args)), second = Json(await Run(args));
        string text = first.GetProperty("text").GetString()!;
        Assert.That(second.GetProperty("text").GetString(), Is.EqualTo(text));
        string stop = text.Substring(20, 3);
        JsonElement stopped = Json(await Run([.. args, "--stop", stop]));
        Assert.That(stopped.GetProperty("text").GetString(), Is.EqualTo(text[..text.IndexOf(stop, StringComparison.Ordinal)]));
        Assert.That(stopped.GetProperty("finish_reason").GetString(), Is.EqualTo("stop"));
    }

    [Test]
    public async Task Generate_takes_a_prompt_from_a_file()
    {
        string file = Path.Combine(folder, "prompt.txt");
        await File.WriteAllTextAsync(file, "KING:");
        (int exit, string output, string error) = await Run("generate", "--prompt-file", file, "--max-tokens", "3");
        Assert.That(exit, Is.Zero, error);
        Assert.That(output, Does.StartWith("KING:"));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "a name cannot hold such characters there")]
    public async Task Convert_says_in_a_line_what_it_leaves_behind()
    {
        string source = Path.Combine(folder, "source");
        Checkpoint.Save(source, MambaLanguageModel.Create(new() { DModel = 8, NLayer = 1, VocabSize = 256 }, 1));
        (int exit, string output, string error) = await Run("convert", source, Path.Combine(folder, "quiet"), "--type", "f32");
        Assert.That((exit, output, error), Is.EqualTo((0, "", "")));
        await File.WriteAllTextAsync(Path.Combine(source, "notes\u001b[2J.txt"), "");
        (exit, output, error) = await Run("convert", source, Path.Combine(folder, "model.gguf"), "--type", "f32");
        Assert.That((exit, output, error), Is.EqualTo((0, "", $"{source}: left behind: notes\\u001b[2J.txt{Environment.NewLine}")));
    }

    [TestCase("mamba1-tiny", 0)]
    [TestCase("mamba1-odd", 5)]
    [TestCase("falcon-mamba-tiny", 1)]
    public async Task Logits_are_those_of_the_golden_at_any_chunk(string name, int chunk)
    {
        string model = Path.Combine(Fixtures, name), output = Path.Combine(folder, "logits.safetensors");
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(model, "golden.safetensors"));
        Tensor ids = golden.Tensors["input_ids"];
        int length = ids.Shape[1];
        string tokens = string.Join(' ', ids.Integers[..length].ToArray());
        (int exit, _, string error) = await Run("logits", model, "--tokens", tokens, "--output", output, "--chunk", $"{chunk}");
        Assert.That(exit, Is.Zero, error);
        using SafetensorsFile found = SafetensorsFile.Open(output);
        float[] expected = golden.Tensors["logits"].Floats[..found.Tensors["logits"].Count].ToArray();
        Assert.That(found.Tensors["logits"].ToArray(), Is.EqualTo(expected).Within(1e-4 * expected.Max(Math.Abs)));
        Assert.That(found.Tensors["logits"].Shape[0], Is.EqualTo(length));
    }

    [Test]
    public async Task Windows_begin_with_a_token_of_context_only()
    {
        string file = Path.Combine(Fixtures, "shakespeare-bytes", "validation.txt");
        JsonElement score = Json(await Run("perplexity", "--file", file, "--length", "301", "--window", "100", "--json"));
        Assert.That(score.GetProperty("tokens_scored").GetInt32(), Is.EqualTo(3 * 99));
    }

    [Test]
    public async Task Info_describes_a_folder_and_a_GGUF_file()
    {
        JsonElement info = Json(await Run("info", Path.Combine(Fixtures, "shakespeare-bytes"), "--json"));
        Assert.That(info.GetProperty("architecture").GetString(), Is.EqualTo("mamba"));
        Assert.That(info.GetProperty("tokenizer").GetString(), Does.StartWith("bytes"));
        JsonElement gguf = Json(await Run("info", Path.Combine(Fixtures, "gguf", "shakespeare-Q8_0.gguf"), "--json"));
        Assert.That(gguf.GetProperty("parameters").GetInt64(), Is.EqualTo(info.GetProperty("parameters").GetInt64()));
        Assert.That((await Run("info")).Output, Does.Contain("d_model"));
        Assert.That(info.GetProperty("instruction_set").GetString(), Is.EqualTo(CpuExecutor.InstructionSet).And.AnyOf("avx512", "avx2", "vector128", "scalar"));
    }

    [Test]
    public async Task The_default_model_is_small()
    {
        JsonElement info = Json(await Run("info", "--json"));
        Assert.That(info.GetProperty("parameters").GetInt64(), Is.LessThanOrEqualTo(12_000_000));
        Assert.That(info.GetProperty("file_bytes").GetInt64(), Is.LessThanOrEqualTo(8_000_000));
    }

    [Test]
    public async Task Text_becomes_ids_and_ids_text()
    {
        Assert.That((await Run("tokenize", "Aé")).Output.Trim(), Is.EqualTo("65 195 169"));
        Assert.That((await Run("detokenize", "65 195 169")).Output.Trim(), Is.EqualTo("Aé"));
        string gguf = Path.Combine(Fixtures, "gguf", "shakespeare-Q8_0.gguf");
        Assert.That((await Run("tokenize", gguf, "AB")).Output.Trim(), Is.EqualTo("65 66"));
    }

    [TestCase("gpt-neox-tokenizer")]
    [TestCase("gguf/gpt-neox-vocab.gguf")]
    public async Task A_tokenizer_serves_without_a_model(string name)
    {
        string path = Path.Combine([Fixtures, .. name.Split('/')]);
        Assert.That((await Run("tokenize", path, "Hello  world")).Output.Trim(), Is.EqualTo("12092 50276 10186"));
        Assert.That((await Run("detokenize", path, "12092 50276 10186")).Output.Trim(), Is.EqualTo("Hello  world"));
    }

    [Test]
    public async Task Convert_goes_to_GGUF_and_back()
    {
        string gguf = Path.Combine(folder, "m.gguf"), back = Path.Combine(folder, "back");
        Assert.That((await Run("convert", Path.Combine(Fixtures, "mamba1-tiny"), gguf, "--type", "f32")).Exit, Is.Zero);
        (int exit, _, string error) = await Run("convert", gguf, back, "--type", "f32");
        Assert.That(exit, Is.Zero, error);
        Assert.That(Opened.Model(back).HeadWeight.ToArray(), Is.EqualTo(Opened.Model(Path.Combine(Fixtures, "mamba1-tiny")).HeadWeight.ToArray()));
    }

    [Test]
    public async Task Bench_reports_speed_and_limits()
    {
        JsonElement result = Json(await Run("bench", Path.Combine(Fixtures, "mamba1-tiny"), "--type", "q8_0", "--prompt-length", "700", "--sessions", "2", "--rounds", "1", "--threads", "1", "--json"));
        foreach (string key in new[] { "pp700", "tg64", "batch", "read_gb_s", "fma_gflop_s", "pp700_fma_share", "tg64_read_share" })
        {
            Assert.That(result.GetProperty(key).GetDouble(), Is.GreaterThan(0), key);
        }

        Assert.That(result.GetProperty("instruction_set").GetString(), Is.EqualTo(CpuExecutor.InstructionSet));
    }

    [Test]
    public async Task A_quantization_report_recommends_types_within_its_budget()
    {
        Checkpoint.Save(folder, MambaLanguageModel.Create(new() { DModel = 32, NLayer = 1, VocabSize = 256 }, 1));
        string[] args = ["quantize-report", folder, "--file", Path.Combine(Fixtures, "shakespeare-bytes", "validation.txt"), "--length", "60", "--types", "q8_0", "f16", "--budget", "0.5"];
        JsonElement report = Json(await Run([.. args, "--json"]));
        Assert.That(report.GetProperty("tokens_scored").GetInt32(), Is.EqualTo(59));
        Assert.That(report.GetProperty("tensors").EnumerateArray().Select(t => t.GetProperty("recommended").GetString()), Is.All.AnyOf("f32", "f16", "q8_0"));
        Assert.That(report.GetProperty("recommendation").GetProperty("expected_nats_per_token").GetDouble(), Is.InRange(0, 0.5));
        (int exit, string output, string error) = await Run(args);
        Assert.That(exit, Is.Zero, error);
        Assert.That(output, Does.Contain("layers.0.mixer.in_proj").And.Contain("measured"));
    }

    [Test]
    public async Task A_quantization_report_writes_the_model_in_the_types_that_it_recommends()
    {
        Checkpoint.Save(folder, MambaLanguageModel.Create(new() { DModel = 32, NLayer = 1, VocabSize = 256 }, 1));
        string mix = Path.Combine(folder, "mix.gguf");
        string[] text = ["--file", Path.Combine(Fixtures, "shakespeare-bytes", "validation.txt"), "--length", "60", "--json"];
        JsonElement report = Json(await Run(["quantize-report", folder, .. text, "--types", "q8_0", "q4_0", "--budget", "0.001", "--output", mix]));
        JsonElement recommendation = report.GetProperty("recommendation");
        Dictionary<string, Tensor> found = Opened.Model(mix).Parameters().ToDictionary();
        Dictionary<string, string> recommended = report.GetProperty("tensors").EnumerateArray()
            .ToDictionary(tensor => tensor.GetProperty("name").GetString()!, tensor => tensor.GetProperty("recommended").GetString()!);
        Assert.That(recommended.Keys.ToDictionary(name => name, name => $"{found[name].Type}".ToLowerInvariant().Replace("float32", "f32")), Is.EqualTo(recommended));
        Assert.That(recommended.Values, Does.Contain("f32").And.Contain("q8_0").And.Contain("q4_0"));
        Assert.That(recommended.Keys.Sum(name => found[name].ByteLength), Is.EqualTo(recommendation.GetProperty("bytes").GetInt64()));

        // A goes through a logarithm and back, which moves it by the rounding of single precision.
        double expected = report.GetProperty("nats_per_token").GetDouble() + recommendation.GetProperty("measured_nats_per_token").GetDouble();
        Assert.That(Json(await Run(["perplexity", mix, .. text])).GetProperty("nats_per_token").GetDouble(), Is.EqualTo(expected).Within(1e-6));
    }

    [TestCase("mix.bin", "expected a name that ends in .gguf")]
    [TestCase("no-such-folder/mix.gguf", "expected a folder that exists")]
    public async Task A_quantization_report_looks_at_where_to_write_before_it_measures(string name, string complaint)
    {
        (int exit, string output, string error) = await Run("quantize-report", "--file", Path.Combine(Fixtures, "shakespeare-bytes", "validation.txt"), "--output", Path.Combine(folder, name));
        Assert.That((exit, output), Is.EqualTo((1, "")));
        Assert.That(error, Does.Match(@"^mamba: [^\n]+\n$").And.Contain(complaint).And.Contain(name));
    }

    [TestCase("nonsense")]
    [TestCase("generate", "--prompt", "x", "--temperature", "-1")]
    [TestCase("generate", "--prompt", "x", "--top-p", "2")]
    [TestCase("generate", "--prompt", "x", "--max-tokens", "many")]
    [TestCase("generate", "--prompt", "x", "--prompt-file", "y")]
    [TestCase("bench", "--shape", "9t")]
    [TestCase("bench", "--type", "q9")]
    [TestCase("bench", "--rounds", "0")]
    [TestCase("bench", "--prompt-length", "0")]
    [TestCase("bench", "--train", "--rounds", "2")]
    [TestCase("bench", "--train", "--prompt-length", "64")]
    [TestCase("bench", "--length", "64")]
    [TestCase("bench", "model", "--shape", "130m")]
    [TestCase("quantize-report", "--file", "x", "--types", "q9")]
    [TestCase("logits")]
    [TestCase("tokenize")]
    [TestCase("tokenize", "--file", "x.txt")]
    [TestCase("tokenize", "model", "text", "--file", "x.txt", "--output", "x.tokens")]
    [TestCase]
    public async Task A_usage_error_exits_2_with_help(params string[] args)
    {
        (int exit, string output, string error) = await Run(args);
        Assert.That(exit, Is.EqualTo(2));
        Assert.That(output + error, Does.Contain("Usage:"));
    }

    [TestCase("info", "no-such-folder")]
    [TestCase("generate", "no-such-folder", "--prompt", "x")]
    [TestCase("generate", "--prompt", "")]
    [TestCase("logits", "--tokens", "1 256", "--output", "never.safetensors")]
    [TestCase("logits", "--tokens", "1 x", "--output", "never.safetensors")]
    [TestCase("perplexity", "--file", "no-such-file")]
    [TestCase("quantize-report", "--file", "no-such-file")]
    [TestCase("detokenize", "300")]
    public async Task Any_other_failure_exits_1_with_one_line(params string[] args)
    {
        (int exit, string output, string error) = await Run(args);
        Assert.That(exit, Is.EqualTo(1));
        Assert.That(output, Is.Empty);
        Assert.That(error, Does.Match(@"^mamba: [^\n]+\n$").And.Not.Contains("(Parameter"));
        Assert.That((await Run([.. args, "--verbose"])).Error, Does.Contain("   at "));
        Assert.That(File.Exists("never.safetensors"), Is.False);
    }

    [Test]
    public async Task Weights_that_are_no_numbers_give_one_line_and_no_file()
    {
        string model = Path.Combine(folder, "model"), output = Path.Combine(folder, "output");
        MambaLanguageModel damaged = MambaLanguageModel.Create(new() { DModel = 8, NLayer = 1, VocabSize = 256 }, 1);
        damaged.NormF.Weight.Floats[3] = float.NaN;
        Checkpoint.Save(model, damaged);
        string[][] commands =
        [
            ["generate", model, "--prompt", "x"],
            ["logits", model, "--tokens", "1 2", "--output", output],
            ["perplexity", model, "--file", Path.Combine(model, "config.json"), "--json"],
        ];
        foreach (string[] command in commands)
        {
            (int exit, _, string error) = await Run(command);
            Assert.That(exit, Is.EqualTo(1), command[0]);
            Assert.That(error, Does.Match(@"^mamba: [^\n]+weights are damaged\n$"), command[0]);
        }

        Assert.That(File.Exists(output), Is.False);
    }

    private static JsonElement Json((int Exit, string Output, string Error) result)
    {
        Assert.That(result.Exit, Is.Zero, result.Error);
        return JsonDocument.Parse(result.Output).RootElement;
    }

    private static async Task<(int Exit, string Output, string Error)> Run(params string[] args)
    {
        using StringWriter output = new(), error = new();
        int exit = await MambaCommand.RunAsync(args, output, error);
        return (exit, output.ToString(), error.ToString());
    }
}
