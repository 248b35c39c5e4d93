using Mamba.Managed.Checkpoints;
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
        Mutate(path, File.ReadAllBytes(path), [], file =>
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
        string path = Path.GetTempFileName();
        byte[] archive = File.ReadAllBytes(Path.Combine(Fixtures, "mamba1-tiny-original", "pytorch_model.bin"));

        // Most of the file is weights; damage goes where structure is.
        int pickle = archive.AsSpan().IndexOf("data.pkl"u8), directory = archive.AsSpan().IndexOf("PK\x1\x2"u8);
        Mutate(path, archive, [pickle..(pickle + 6000), directory..archive.Length], file => PyTorchArchive.Open(file).Dispose());
    }

    [TestCase("mamba1-tiny")]
    [TestCase("mamba1-tiny-original")]
    public void Configurations(string name)
    {
        string path = Path.GetTempFileName();
        Mutate(path, File.ReadAllBytes(Path.Combine(Fixtures, name, "config.json")), [], file => ConfigFile.Read(file));
    }

    [Test]
    public void Shard_indices()
    {
        string folder = Directory.CreateTempSubdirectory("mamba-test").FullName;
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Fixtures, "mamba1-tiny-f16-sharded")))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        string index = Path.Combine(folder, "model.safetensors.index.json");
        Mutate(index, File.ReadAllBytes(index), [], _ => Checkpoint.Load(folder));
        Directory.Delete(folder, recursive: true);
    }

    private static void Mutate(string path, byte[] original, Range[] hot, Action<string> read)
    {
        Random random = new(original.Length);
        int refused = 0;
        for (int i = 0; i < Count; i++)
        {
            byte[] damaged = Damage(original, hot, random);
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

    private static byte[] Damage(byte[] original, Range[] hot, Random random)
    {
        if (hot.Length == 0 || random.Next(8) == 0)
        {
            return Mutations.Of(original, random);
        }

        (int start, int length) = hot[random.Next(hot.Length)].GetOffsetAndLength(original.Length);
        byte[] part = original[start..(start + length)];
        return [.. original[..start], .. Mutations.Of(part, random), .. original[(start + length)..]];
    }
}
