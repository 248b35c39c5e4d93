using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>Readers under thousands of damaged files: each loads or gives the one error, and none takes memory that the file does not justify.</summary>
public class MutationTests
{
    private const int Count = 10_000;
    private const long Constant = 8_000_000;

    private static string Fixtures => Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");

    [Test]
    public void Safetensors()
    {
        string path = Path.GetTempFileName();
        Dictionary<string, Tensor> tensors = new()
        {
            ["first"] = Tensor.FromFloats([1, 2, 3, 4, 5, 6], 2, 3),
            ["second"] = Tensor.Zeros(ElementType.BFloat16, 3, 1),
            ["third"] = Tensor.Zeros(ElementType.Int64, 2),
        };
        SafetensorsFile.Save(path, tensors, new Dictionary<string, string> { ["format"] = "pt" });
        Mutate(path, File.ReadAllBytes(path), file =>
        {
            using SafetensorsFile opened = SafetensorsFile.Open(file);
            foreach (Tensor tensor in opened.Tensors.Values)
            {
                _ = tensor.Bytes.ToArray();
            }
        });
    }

    [Test]
    public void PyTorch_archives()
    {
        // What torch.save writes of five small tensors of four types, two of which are one; a model's file is mostly weights.
        byte[] archive = File.ReadAllBytes(Path.Combine(Fixtures, "torch-archive", "pytorch_model.bin"));
        Mutate(Path.GetTempFileName(), archive, file => PyTorchArchive.Open(file).Dispose());
    }

    [TestCase("mamba1-tiny")]
    [TestCase("mamba1-tiny-original")]
    public void Configurations(string name)
    {
        Mutate(Path.GetTempFileName(), File.ReadAllBytes(Path.Combine(Fixtures, name, "config.json")), file => ConfigFile.Read(file));
    }

    [Test]
    public void Shard_indices()
    {
        string folder = Directory.CreateTempSubdirectory("mamba-test").FullName;
        MambaLanguageModel model = MambaLanguageModel.Create(new MambaConfig { DModel = 4, NLayer = 1, VocabSize = 8, DState = 2 }, 1);
        Checkpoint.Save(folder, model);
        File.Delete(Path.Combine(folder, "model.safetensors"));
        string[] names = [.. model.Parameters().Select(p => p.Key)];
        foreach (IGrouping<string, string> shard in names.GroupBy(ShardOf))
        {
            SafetensorsFile.Save(Path.Combine(folder, shard.Key), model.Parameters().Where(p => shard.Contains(p.Key)).ToDictionary());
        }

        byte[] index = JsonSerializer.SerializeToUtf8Bytes(new { metadata = new { total_size = 1 }, weight_map = names.ToDictionary(name => name, ShardOf) });
        Mutate(Path.Combine(folder, "model.safetensors.index.json"), index, _ => Mutations.Open(folder));
        Directory.Delete(folder, recursive: true);

        static string ShardOf(string name) => name.Contains("mixer", StringComparison.Ordinal) ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors";
    }

    private static void Mutate(string path, byte[] original, Action<string> read)
    {
        Random random = new(original.Length);
        int refused = 0;
        for (int i = 0; i < Count; i++)
        {
            byte[] damaged = Mutations.Of(original, random);
            File.WriteAllBytes(path, damaged);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                read(path);
            }
            catch (Exception error) when (error is InvalidDataException or FileNotFoundException)
            {
                refused++;
            }

            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(damaged.Length + Constant), $"mutation {i}");
        }

        Assert.That(refused, Is.InRange(Count / 20, Count), "the mutations reach the structure");
        File.Delete(path);
    }
}
