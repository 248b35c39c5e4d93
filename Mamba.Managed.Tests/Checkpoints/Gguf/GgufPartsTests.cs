using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints.Gguf;

/// <summary>Models in several GGUF files: any part opens all, and parts that do not belong together are refused.</summary>
public class GgufPartsTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-parts-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void Any_part_opens_the_model_with_the_bits_of_the_whole_file([Values(0, 1, 2)] int opened, [Values] bool isFirstEmpty)
    {
        Write(isFirstEmpty ? [0, 9, 22] : [7, 8, 7]);
        using ModelSource parts = ModelSource.Open(Part(opened, 3)), whole = ModelSource.Open(In("whole.gguf"));
        Assert.Multiple(() =>
        {
            Assert.That(parts.Model.Parameters().Select(pair => $"{pair.Key} {pair.Value}"), Is.EqualTo(whole.Model.Parameters().Select(pair => $"{pair.Key} {pair.Value}")));
            Assert.That(parts.Model.Parameters().SelectMany(pair => pair.Value.ToArray()), Is.EqualTo(whole.Model.Parameters().SelectMany(pair => pair.Value.ToArray())));
            Assert.That(parts.Fingerprint, Is.EqualTo(whole.Fingerprint));
            Assert.That(parts.Config, Is.EqualTo(whole.Config));
            Assert.That(parts.Tokenizer.Encode("abab"), Is.EqualTo(whole.Tokenizer.Encode("abab")));
            Assert.That(ModelTokenizer.Find(Part(opened, 3))!.Encode("abab"), Is.EqualTo(whole.Tokenizer.Encode("abab")));
            Assert.That(parts.WeightPaths.Select(Path.GetFileName), Is.EqualTo(new[] { "m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf" }));
        });
    }

    [Test]
    public void Disposing_the_source_disposes_the_tensors_of_every_part()
    {
        Write([7, 8, 7]);
        ModelSource source = ModelSource.Open(Part(0, 3));
        IReadOnlyList<KeyValuePair<string, Tensor>> parameters = source.Model.Parameters();
        source.Dispose();
        foreach ((string name, Tensor tensor) in parameters)
        {
            Assert.That(() => tensor.ToArray(), Throws.InstanceOf<ObjectDisposedException>(), name);
        }
    }

    [Test]
    public void Missing_parts_are_named([Values(0, 1)] int opened)
    {
        Write([7, 8, 7]);
        File.Delete(Part(2, 3));
        AssertRefused<FileNotFoundException>(Part(opened, 3), Part(0, 3), "found no m-00003-of-00003.gguf");
        File.Delete(Part(0, 3));
        AssertRefused<FileNotFoundException>(Part(1, 3), "m-00001-of-00003.gguf, m-00003-of-00003.gguf");
    }

    [Test]
    public void A_part_under_another_name_is_refused()
    {
        Write([7, 8, 7]);
        File.Move(Part(0, 3), In("first.gguf"));
        AssertRefused<InvalidDataException>(In("first.gguf"), "-00001-of-00003.gguf", "part 1 of 3");
    }

    [Test]
    public void Parts_in_another_order_are_refused()
    {
        Write([7, 8, 7]);
        File.Move(Part(1, 3), In("x"));
        File.Move(Part(2, 3), Part(1, 3));
        File.Move(In("x"), Part(2, 3));
        AssertRefused<InvalidDataException>(Part(0, 3), Part(1, 3), "split.no 1", "found 2");
    }

    [Test]
    public void A_part_of_another_model_is_refused()
    {
        Write([7, 8, 7]);
        byte[] kept = File.ReadAllBytes(Part(1, 3));
        Write([10, 8, 4]);
        File.WriteAllBytes(Part(1, 3), kept);
        AssertRefused<InvalidDataException>(Part(0, 3), "in two; use the parts of one model");
        Write([7, 8, 6]);
        AssertRefused<InvalidDataException>(Part(0, 3), "split.tensors.count 22", "found 21");
        Write([7, 8, 7]);
        Change(Part(1, 3), metadata => metadata["split.count"] = GgufValue.From(4u));
        AssertRefused<InvalidDataException>(Part(0, 3), Part(1, 3), "split.count 3");
        Write([7, 8, 7]);
        Change(Part(1, 3), metadata => metadata["general.architecture"] = GgufValue.From("llama"));
        AssertRefused<InvalidDataException>(Part(0, 3), Part(1, 3), "llama");
    }

    [TestCase(0u)]
    [TestCase(1u)]
    public void A_merged_file_is_whole(uint count)
    {
        Write([22]);
        Change(In("whole.gguf"), metadata => metadata["split.count"] = GgufValue.From(count));
        Assert.That(Opened.Model(In("whole.gguf")).Config.NLayer, Is.EqualTo(2));
    }

    [Test]
    public void A_count_that_no_folder_has_is_refused_at_once([Values(uint.MaxValue, 100_000u, 99_999u)] uint count)
    {
        Write([22]);
        File.Move(In("whole.gguf"), In("m-00001-of-99999.gguf"));
        Change(In("m-00001-of-99999.gguf"), metadata => (metadata["split.no"], metadata["split.count"]) = (GgufValue.From(0u), GgufValue.From(count)));
        Assert.That(() => ModelSource.Open(In("m-00001-of-99999.gguf")), Throws.InstanceOf<InvalidDataException>().Or.InstanceOf<FileNotFoundException>());
    }

    [Test]
    public void Parts_put_together_with_cat_are_called_what_they_are()
    {
        Write([7, 8, 7]);
        File.WriteAllBytes(In("cat.gguf"), [.. File.ReadAllBytes(Part(0, 3)), .. File.ReadAllBytes(Part(1, 3))]);
        AssertRefused<InvalidDataException>(In("cat.gguf"), "cat;");
        File.WriteAllBytes(In("cat.gguf"), [.. File.ReadAllBytes(In("whole.gguf")), 1, 2, 3]);
        AssertRefused<InvalidDataException>(In("cat.gguf"), "found 3 bytes more");
    }

    private string In(string name) => Path.Combine(folder, name);

    private string Part(int number, int count) => In(Throw.Invariant($"m-{number + 1:d5}-of-{count:d5}.gguf"));

    // The whole model, and its tensors in parts of so many each; the last part takes what is left.
    private void Write(int[] lengths)
    {
        GgufCheckpoint.Save(In("whole.gguf"), GgufFixtures.SmallModel(), GgufFileType.F16, new("gpt2", "gpt-2", ["a", "b", "ab"], [1, 1, 1], ["a b"]), "small");
        using GgufFile whole = GgufFile.Open(In("whole.gguf"));
        int at = 0;
        foreach ((int number, int length) in lengths.Index())
        {
            GgufMetadata metadata = new();
            foreach ((string key, GgufValue value) in number == 0 ? whole.Metadata : new())
            {
                metadata[key] = value;
            }

            metadata["split.no"] = GgufValue.From((uint)number);
            metadata["split.count"] = GgufValue.From((uint)lengths.Length);
            metadata["split.tensors.count"] = GgufValue.From((uint)whole.Tensors.Count);
            GgufFile.Save(Part(number, lengths.Length), metadata, whole.Tensors.Skip(at).Take(length));
            at += length;
        }
    }

    private static void Change(string path, Action<GgufMetadata> change)
    {
        string part = path + ".changed";
        File.Copy(path, part);
        GgufHeaderOf(part, out GgufMetadata metadata, out List<KeyValuePair<string, Tensor>> tensors);
        change(metadata);
        GgufFile.Save(path, metadata, tensors);
        File.Delete(part);
    }

    // A part alone, read without the others.
    private static void GgufHeaderOf(string path, out GgufMetadata metadata, out List<KeyValuePair<string, Tensor>> tensors)
    {
        using FileStream stream = File.OpenRead(path);
        using MappedFile mapped = MappedFile.Open(stream);
        using TensorBuffer start = mapped.Region(0, mapped.Length);
        GgufHeader header = GgufHeader.Read(start, mapped);
        metadata = header.Metadata;
        tensors = [];
        foreach (GgufTensor tensor in header.Tensors)
        {
            byte[] bytes = new byte[tensor.Length];
            new Tensor(tensor.Type, tensor.Shape, mapped.Region(tensor.Offset, tensor.Length), 0).CopyBytesTo(0, bytes);
            tensors.Add(new(tensor.Name, Tensor.FromBytes(tensor.Type, bytes, tensor.Shape)));
        }
    }

    private static void AssertRefused<TException>(string path, params string[] named)
        where TException : Exception
    {
        TException error = Assert.Catch<TException>(() => Opened.Model(path))!;
        Array.ForEach(named, part => Assert.That(error.Message, Does.Contain(part)));
        Assert.That(error.Message, Does.StartWith(Path.GetDirectoryName(path)!).And.Not.Contain("damaged"));
    }
}
