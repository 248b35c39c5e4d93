using System.Text.Json;
using Mamba.Managed.Checkpoints;

namespace Mamba.Managed.Tests.Cli;

/// <summary><c>--device</c>: other devices give the processor's results, and what is missing is said in one line.</summary>
public class DeviceCommandTests
{
    private const string Emulation = "cpu-accelerator";

    [Test]
    public async Task Devices_are_listed()
    {
        (int exit, string output, string error) = await CommandRun.InProcess("info", "--devices");
        Assert.Multiple(() =>
        {
            Assert.That((exit, error), Is.EqualTo((0, "")));
            Assert.That(output, Does.StartWith("cpu: ").And.Contain(Emulation + ": "));
        });
        (exit, output, _) = await CommandRun.InProcess("info", "--devices", "--json");
        string[] found = [.. JsonDocument.Parse(output).RootElement.GetProperty("devices").EnumerateArray().Select(device => device.GetProperty("id").GetString()!)];
        Assert.That((exit, found[^1]), Is.EqualTo((0, Emulation)));
    }

    [Test]
    public async Task A_text_is_the_same_on_every_device([Values(Emulation, "auto")] string device)
    {
        string[] args = ["generate", "--prompt", "To be", "--max-tokens", "5", "--temperature", "0"];
        (_, string expected, _) = await CommandRun.InProcess(args);
        (int exit, string output, _) = await CommandRun.InProcess([.. args, "--device", device]);
        Assert.That((exit, output), Is.EqualTo((0, expected)));
    }

    [Test]
    public async Task Logits_of_a_device_are_near_those_of_the_processor()
    {
        string folder = Directory.CreateTempSubdirectory("mamba").FullName;
        try
        {
            float[] expected = await Logits("cpu"), found = await Logits(Emulation);
            Assert.That(found, Is.EqualTo(expected).Within(1e-4 * expected.Max(Math.Abs)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        async Task<float[]> Logits(string device)
        {
            string path = Path.Combine(folder, device + ".safetensors");
            (int exit, _, string error) = await CommandRun.InProcess("logits", "--tokens", "1 2 3 4 5 6", "--output", path, "--device", device);
            Assert.That((exit, error), Is.EqualTo((0, "")));
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return file.Tensors["logits"].ToArray();
        }
    }

    [Test]
    public async Task A_run_begins_on_one_device_and_goes_on_on_another()
    {
        string folder = Directory.CreateTempSubdirectory("mamba").FullName, data = Path.Combine(folder, "data.txt"), run = Path.Combine(folder, "run");
        try
        {
            File.WriteAllText(data, string.Concat(Enumerable.Range(0, 40).Select(i => $"{i} bottles of beer on the wall\n")));
            await Train("--steps", "2", "--device", Emulation);
            await Train("--steps", "3", "--resume");
            Assert.That(File.ReadAllLines(Path.Combine(run, "metrics.jsonl")), Has.Length.EqualTo(3));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        async Task Train(params string[] more)
        {
            string[] args = ["train", "--data", data, "--output", run, "--d-model", "8", "--layers", "1", "--batch", "1", "--length", "8", "--schedule", "constant"];
            (int exit, string output, string error) = await CommandRun.InProcess([.. args, .. more]);
            Assert.That((exit, error), Is.EqualTo((0, "")));
            Assert.That(output, Does.Contain("sample: "));
        }
    }

    [Test]
    public async Task Training_is_measured_on_a_device()
    {
        string folder = Directory.CreateTempSubdirectory("mamba").FullName;
        try
        {
            Checkpoint.Save(folder, Mamba.Managed.Models.MambaLanguageModel.Create(new() { DModel = 8, NLayer = 1, VocabSize = 16 }, 1));
            (int exit, string output, string error) = await CommandRun.InProcess("bench", folder, "--train", "--batch", "1", "--length", "8", "--device", Emulation, "--json");
            Assert.That((exit, error), Is.EqualTo((0, "")));
            JsonElement found = JsonDocument.Parse(output).RootElement;
            Assert.That((found.GetProperty("device").GetString(), found.GetProperty("train").GetDouble() > 0), Is.EqualTo((Emulation, true)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public async Task A_device_that_is_not_there_fails_in_one_line()
    {
        (int exit, string output, string error) = await CommandRun.InProcess("generate", "--prompt", "To be", "--device", "cuda:99");
        Assert.Multiple(() =>
        {
            Assert.That((exit, output), Is.EqualTo((1, "")));
            Assert.That(error, Does.StartWith("mamba: expected ").And.Contain("cuda"));
            Assert.That(error.TrimEnd().Split('\n'), Has.Length.EqualTo(1));
        });
    }

    [TestCase("generate", "--prompt", "x", "--device", "gpu")]
    [TestCase("generate", "--prompt", "x", "--device", "cuda:x")]
    [TestCase("generate", "--prompt", "x", "--device", "cuda", "--threads", "2")]
    [TestCase("perplexity", "--file", "x", "--device", "opencl", "--threads", "2")]
    [TestCase("bench", "--device", "")]
    [TestCase("info", "--devices", "model")]
    public async Task What_makes_no_sense_is_a_usage_error(params string[] args)
    {
        (int exit, _, string error) = await CommandRun.InProcess(args);
        Assert.That((exit, error.StartsWith("mamba: ", StringComparison.Ordinal)), Is.EqualTo((2, true)), error);
    }
}
