using System.Buffers.Binary;
using System.Text;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints;

public class SafetensorsTests
{
    private const string Good = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[1,2],"data_offsets":[8,12]}}""";

    private string path = "";

    [SetUp]
    public void MakePath() => path = Path.GetTempFileName();

    [TearDown]
    public void Remove() => File.Delete(path);

    [Test]
    public void A_file_is_read_as_written()
    {
        Write(Good, 12);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.That(file.Tensors.Select(t => $"{t.Key}: {t.Value}"), Is.EqualTo(["a: Float32 [2]", "b: Float16 [1, 2]"]));
    }

    [Test]
    public void Metadata_and_every_type_come_back()
    {
        Dictionary<string, Tensor> tensors = new()
        {
            ["half"] = Tensor.Zeros(ElementType.Float16, 3),
            ["none"] = Tensor.Zeros(ElementType.Float32, 0, 4),
            ["one"] = Tensor.FromFloats([1.5f]),
            ["long"] = Tensor.Zeros(ElementType.Int64, 2),
        };
        SafetensorsFile.Save(path, tensors, new Dictionary<string, string> { ["format"] = "pt", ["quote"] = "\"ü\"" });
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.That(file.Metadata["quote"], Is.EqualTo("\"ü\""));
        Assert.That(file.Tensors.Select(t => $"{t.Key}: {t.Value}"), Is.EquivalentTo(tensors.Select(t => $"{t.Key}: {t.Value}")));
        Assert.That(file.Tensors["one"].Floats[0], Is.EqualTo(1.5f));
    }

    [TestCase("""{"__metadata__":null,"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, TestName = "Metadata_may_be_null")]
    [TestCase("""{"__metadata__":{},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, TestName = "Metadata_may_be_empty")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}     """, 8, TestName = "A_header_may_be_padded")]
    [TestCase("""{"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 12, TestName = "Tensors_may_be_listed_in_another_order")]
    [TestCase("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]}}""", 4, TestName = "Tensors_may_be_scalar_or_empty")]
    public void An_odd_header_is_read(string header, int dataLength)
    {
        Write(header, dataLength);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.That(file.Tensors, Contains.Key("a"));
        Assert.That(file.Metadata, Is.Empty);
    }

    [TestCase("F64", 8)]
    [TestCase("F8_E4M3", 1)]
    [TestCase("I32", 4)]
    [TestCase("BOOL", 1)]
    [TestCase("U8", 1)]
    public void A_tensor_of_another_type_is_named_with_its_type(string type, int size)
    {
        Write(Throw.Invariant($$"""{"layer.0.absmax":{"dtype":"{{type}}","shape":[1],"data_offsets":[0,{{size}}]} }"""), size);
        Assert.That(() => SafetensorsFile.Open(path), Throws.InstanceOf<InvalidDataException>()
            .With.Message.Contains("layer.0.absmax: ").And.Message.Contains($"found {type}").And.Message.Contains("convert"));
    }

    [TestCase("""{"__metadata__":{"step":5}}""", "__metadata__.step: expected a text, found a number")]
    [TestCase("""{"__metadata__":{"a":{"b":"c"}}}""", "__metadata__.a: expected a text, found an object")]
    [TestCase("""{"__metadata__":[]}""", "__metadata__: expected an object, found a list")]
    public void Metadata_that_are_no_texts_are_named(string header, string said)
    {
        Write(header, 0);
        Assert.That(() => SafetensorsFile.Open(path), Throws.InstanceOf<InvalidDataException>().With.Message.Contains(said));
    }

    [TestCase(Good, 11, TestName = "A_truncated_file_is_refused")]
    [TestCase(Good, 16, TestName = "A_padded_file_is_refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, TestName = "Overlapping_tensors_are_refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, TestName = "A_gap_is_refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, TestName = "A_negative_dimension_is_refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}""", 0, TestName = "A_shape_that_overflows_is_refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, TestName = "Offsets_in_reverse_are_refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}""", 8, TestName = "Offsets_beyond_64_bits_are_refused")]
    [TestCase("""{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}""", 8, TestName = "Another_type_is_refused")]
    [TestCase("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", 8, TestName = "A_missing_field_is_refused")]
    [TestCase("""{"a":3}""", 0, TestName = "An_entry_that_is_no_object_is_refused")]
    [TestCase("""[]""", 0, TestName = "A_header_that_is_no_object_is_refused")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, TestName = "A_name_twice_is_refused")]
    public void A_header_that_breaks_a_rule_is_refused(string header, int dataLength)
    {
        Write(header, dataLength);
        Assert.That(() => SafetensorsFile.Open(path), Throws.InstanceOf<InvalidDataException>().With.Message.Contains(path));
    }

    [Test]
    public void A_header_longer_than_the_file_is_refused_before_it_is_read([Values(0ul, 100ul, ulong.MaxValue, 1ul << 40)] ulong length)
    {
        byte[] bytes = new byte[20];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        File.WriteAllBytes(path, bytes);
        Assert.That(() => SafetensorsFile.Open(path), Throws.InstanceOf<InvalidDataException>());
    }

    [TestCase(0)]
    [TestCase(7)]
    public void A_file_without_a_header_is_refused(int length)
    {
        File.WriteAllBytes(path, new byte[length]);
        Assert.That(() => SafetensorsFile.Open(path), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("not complete"));
    }

    [Test]
    public void A_write_that_fails_leaves_the_old_file()
    {
        Write(Good, 12);
        byte[] before = File.ReadAllBytes(path);
        Tensor gone = Tensor.Zeros(ElementType.Float32, 4);
        gone.Buffer.Dispose();
        Assert.That(() => SafetensorsFile.Save(path, new Dictionary<string, Tensor> { ["x"] = gone }), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(before));
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(path)!, Path.GetFileName(path) + "*"), Has.Length.EqualTo(1));
    }

    private void Write(string header, int dataLength)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] file = new byte[8 + json.Length + dataLength];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)json.Length);
        json.CopyTo(file, 8);
        File.WriteAllBytes(path, file);
    }
}
