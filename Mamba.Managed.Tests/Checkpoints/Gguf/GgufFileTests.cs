using System.Buffers.Binary;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tests.Checkpoints.Gguf;

public class GgufFileTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-gguf-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void Values_of_every_type_and_unknown_keys_are_kept_from_file_to_file()
    {
        GgufMetadata metadata = new()
        {
            ["text"] = GgufValue.From("Zürich"),
            ["count"] = GgufValue.From(4_000_000_000),
            ["number"] = GgufValue.From(1e-5f),
            ["truth"] = GgufValue.From(true),
            ["texts"] = GgufValue.From((string[])["", "a", "Ġ"]),
            ["numbers"] = GgufValue.From((int[])[-1, 0, int.MaxValue]),
        };
        string path = Path.Combine(folder, "a.gguf"), again = Path.Combine(folder, "b.gguf");
        GgufFile.Save(path, metadata, []);
        GgufFile.Save(again, GgufFile.Open(path).Metadata, []);
        GgufMetadata found = GgufFile.Open(again).Metadata;
        Assert.Multiple(() =>
        {
            Assert.That(File.ReadAllBytes(again), Is.EqualTo(File.ReadAllBytes(path)));
            Assert.That(found.Keys, Is.EqualTo(metadata.Keys));
            Assert.That(found["text"].AsString(), Is.EqualTo("Zürich"));
            Assert.That(found["count"].AsInteger(), Is.EqualTo(4_000_000_000));
            Assert.That(found.GetNumber("number"), Is.EqualTo(1e-5f));
            Assert.That(found.GetBoolean("truth"), Is.True);
            Assert.That(found.GetStrings("texts"), Is.EqualTo(new[] { "", "a", "Ġ" }));
            Assert.That(found.GetIntegers("numbers"), Is.EqualTo(new[] { -1, 0, int.MaxValue }));
            Assert.That(() => found.GetInteger("text"), Throws.InstanceOf<InvalidDataException>().With.Message.EqualTo("text: expected a whole number, found String"));
            Assert.That(() => found.GetInteger("count"), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("2^31"));
            Assert.That(() => found.GetString("texts"), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("an array of String"));
        });
    }

    [Test]
    public void Tensors_lie_at_multiples_of_the_alignment_that_the_file_names([Values(0, 8, 64, 4096)] int alignment)
    {
        GgufMetadata metadata = new();
        if (alignment > 0)
        {
            metadata["general.alignment"] = GgufValue.From((uint)alignment);
        }

        string path = Path.Combine(folder, "a.gguf");
        Tensor first = Tensor.FromFloats([1, 2, 3], 3), second = Tensor.FromFloats([4, 5, 6, 7, 8, 9], 2, 3);
        GgufFile.Save(path, metadata, [new("first", first), new("second", second)]);
        GgufFile file = GgufFile.Open(path);
        Tensor found = file.Tensors["second"];
        float[] values = new float[6];
        found.CopyTo(values);
        Assert.That(values, Is.EqualTo(new[] { 4f, 5, 6, 7, 8, 9 }));
        Assert.That(found.HasShape(2, 3));
        Assert.That(new FileInfo(path).Length % (alignment == 0 ? 32 : alignment), Is.Zero);
    }

    [Test]
    public void Version_2_is_read_and_others_are_refused_with_the_reason()
    {
        byte[] bytes = SmallFile();
        Assert.That(GgufFile.Open(Write(bytes, 2)).Version, Is.EqualTo(2));
        Assert.That(() => GgufFile.Open(Write(bytes, 1)), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("found 1"));
        Assert.That(() => GgufFile.Open(Write(bytes, BinaryPrimitives.ReverseEndianness(3))), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("big endian"));

        string Write(byte[] file, int version)
        {
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), version);
            string path = Path.Combine(folder, Throw.Invariant($"{version}.gguf"));
            File.WriteAllBytes(path, file);
            return path;
        }
    }

    [Test]
    public void A_missing_file_is_said_to_be_missing() =>
        Assert.That(() => GgufFile.Open(Path.Combine(folder, "none.gguf")), Throws.InstanceOf<FileNotFoundException>());

    [Test]
    public void A_file_cut_short_anywhere_is_refused()
    {
        byte[] bytes = SmallFile();
        string path = Path.Combine(folder, "cut.gguf");
        for (int length = 0; length < bytes.Length - 32; length += 1 + (length / 61))
        {
            File.WriteAllBytes(path, bytes.AsSpan(0, length));
            Assert.That(() => GgufFile.Open(path), Throws.InstanceOf<InvalidDataException>().With.Message.StartsWith(path), Throw.Invariant($"{length} bytes"));
        }
    }

    private byte[] SmallFile()
    {
        string path = Path.Combine(folder, "small.gguf");
        GgufVocabulary vocabulary = new("gpt2", "gpt-2", ["a", "b", "ab"], [1, 1, 1], ["a b"]);
        GgufCheckpoint.Save(path, MambaLanguageModel.Create(new MambaConfig { DModel = 32, NLayer = 1, VocabSize = 8, DState = 2, DtRank = 1 }, 7), GgufFileType.Q8_0, vocabulary, "x");
        return File.ReadAllBytes(path);
    }
}
