using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Tests.Devices;

/// <summary>What is read from disk is what was written, or nothing.</summary>
public class KernelCacheTests
{
    private const string Description = "a kernel of some build for some device";

    private static readonly CachedKernel Kernel = new(".version 7.8\n\n.visible .entry Kernel()\n{\n\tret;\n}\n", 4096, true);

    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("kernels").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void A_kernel_comes_back()
    {
        string below = Path.Combine(folder, "new", "folder");
        KernelCache cache = new(below);
        Assert.That(cache.Read(Description), Is.Null);
        cache.Write(Description, Kernel);
        cache.Write(Description, Kernel);
        Assert.Multiple(() =>
        {
            Assert.That(cache.Read(Description), Is.EqualTo(Kernel));
            Assert.That(cache.Read(Description + "s"), Is.Null);
            Assert.That(Directory.GetFiles(below), Has.Length.EqualTo(1));
        });
    }

    [Test]
    public void What_is_damaged_or_of_another_kernel_is_ignored_and_written_anew()
    {
        KernelCache cache = new(folder);
        cache.Write(Description, Kernel);
        string path = Directory.GetFiles(folder).Single();
        byte[] whole = File.ReadAllBytes(path);
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.That(cache.Read(Description), Is.Null, $"the first {length} bytes");
        }

        for (int at = 0; at < whole.Length; at++)
        {
            byte[] damaged = [.. whole];
            damaged[at] ^= 1;
            File.WriteAllBytes(path, damaged);
            Assert.That(cache.Read(Description), Is.Null, $"byte {at}");
        }

        cache.Write("another", Kernel);
        File.Copy(Directory.GetFiles(folder).Single(other => other != path), path, overwrite: true);
        Assert.That(cache.Read(Description), Is.Null, "another kernel's file");
        cache.Write(Description, Kernel);
        Assert.That(cache.Read(Description), Is.EqualTo(Kernel));
    }

    [Test]
    public void Without_a_folder_or_where_nothing_can_be_written_there_is_no_cache()
    {
        string file = Path.Combine(folder, "file");
        File.WriteAllText(file, "");
        foreach (KernelCache cache in (KernelCache[])[new(null), new(Path.Combine(file, "below"))])
        {
            cache.Write(Description, Kernel);
            Assert.That(cache.Read(Description), Is.Null);
        }

        Assert.That(File.Exists(KernelKey.HashOf(Description) + ".ptx"), Is.False);
    }

    [Test]
    public void Many_write_the_same_kernel_at_once()
    {
        Parallel.For(0, 20, _ =>
        {
            KernelCache cache = new(folder);
            cache.Write(Description, Kernel);
            Assert.That(cache.Read(Description), Is.EqualTo(Kernel));
        });
        Assert.That(Directory.GetFiles(folder), Has.Length.EqualTo(1));
    }
}
