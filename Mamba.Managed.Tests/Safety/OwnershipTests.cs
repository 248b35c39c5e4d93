using System.Reflection;
using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Safety;

/// <summary>Who owns memory and mappings: wrong use is an exception, and a file cannot ask for more than it has.</summary>
public class OwnershipTests
{
    private string folder = "";

    private static string Fixtures => Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");

    private static string Gguf => Path.Combine(Fixtures, "gguf", "shakespeare-Q8_0.gguf");

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-safety-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void Layers_that_share_tensors_of_an_archive_are_taken_over_right([Values] Sharing sharing)
    {
        ArchiveWriter.Write(folder, 128, 2, 64, sharing);
        OwnershipChild.Run("load", folder);
    }

    [Test]
    public void Layers_that_share_a_tensor_in_memory_are_taken_over_right() => OwnershipChild.Run("shared");

    [TestCase("gguf/shakespeare-Q8_0.gguf")]
    [TestCase("shakespeare-bytes")]
    public void A_model_can_be_opened_any_number_of_times(string name) => OwnershipChild.Run("open", Path.Combine([Fixtures, .. name.Split('/')]));

    [Test]
    public void An_archive_can_be_opened_any_number_of_times()
    {
        ArchiveWriter.Write(folder, 16, 2, 256, Sharing.None);
        OwnershipChild.Run("open", folder);
    }

    [Test]
    public void A_source_may_be_disposed_while_its_tensors_are_read() => OwnershipChild.Run("dispose", Gguf);

    [Test]
    public void An_archive_asks_for_no_more_than_a_small_multiple_of_its_size([Values(Sharing.Projections, Sharing.Everything, Sharing.Storages)] Sharing sharing)
    {
        ArchiveWriter.Write(folder, 64, 30, 64, sharing);
        using ModelSource source = ModelSource.Open(folder);
        Assert.That(() => source.Model, Throws.TypeOf<InvalidDataException>().With.Message.Contains("share their elements").And.Message.Contains(folder));
    }

    [Test]
    public void The_number_of_tensors_is_bounded_over_all_files_of_a_model()
    {
        const int Each = 9000;
        Tensor one = Tensor.FromFloats([1]);
        File.Copy(Path.Combine(Fixtures, "mamba1-tiny", "config.json"), Path.Combine(folder, "config.json"));
        Dictionary<string, string> index = [];
        for (int shard = 0; shard < 2; shard++)
        {
            string name = Throw.Invariant($"model-{shard}.safetensors");
            SafetensorsFile.Save(Path.Combine(folder, name), Enumerable.Range(0, Each).Select(i => KeyValuePair.Create(Throw.Invariant($"t{shard}.{i}"), one)));
            index[Throw.Invariant($"t{shard}.0")] = name;
        }

        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), JsonSerializer.Serialize(new { weight_map = index }));
        using ModelSource source = ModelSource.Open(folder);
        Assert.That(() => source.Model, Throws.TypeOf<InvalidDataException>().With.Message.Contains("in all files of a model, found 18000"));
    }

    [Test]
    public void Mapped_tensors_are_not_written_and_end_with_their_source()
    {
        ModelSource source = ModelSource.Open(Path.Combine(Fixtures, "mamba1-tiny"));
        Tensor tensor = source.Model.NormF.Weight;
        float[] values = tensor.ToArray();
        Assert.That(() => tensor.CopyFrom(values), Throws.InvalidOperationException.With.Message.Contains("read-only"));
        ModelFingerprint fingerprint = source.Fingerprint;
        using CpuExecutor executor = CpuExecutor.TakeOver(source.Model, 1);
        Assert.That(tensor.ToArray(), Is.EqualTo(values), "its pages were given back, and are read again");
        Assert.That(source.Fingerprint, Is.EqualTo(fingerprint));
        source.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(() => tensor.ToArray(), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => source.Model, Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(source.Dispose, Throws.Nothing);
        });
    }

    [Test]
    public void A_GGUF_file_keeps_its_fingerprint_when_its_weights_are_taken_over()
    {
        using ModelSource source = ModelSource.Open(Gguf);
        ModelFingerprint expected = ModelFingerprint.Of(Opened.Model(Gguf));
        using CpuExecutor executor = CpuExecutor.TakeOver(source.Model, 1);
        Assert.That(source.Fingerprint, Is.EqualTo(expected));
    }

    [Test]
    public void The_metadata_of_a_GGUF_file_outlive_it()
    {
        GgufFile vocabulary = GgufFile.Open(Path.Combine(Fixtures, "gguf", "gpt-neox-vocab.gguf")), file = GgufFile.Open(Gguf);
        vocabulary.Dispose();
        file.Dispose();
        Assert.That(GgufVocabulary.Read(vocabulary.Metadata)!.Tokens, Has.Count.GreaterThan(50000));
        Assert.That(() => file.Tensors.Values.First().Buffer.Acquire().Dispose(), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Parameters_that_were_disposed_are_not_used()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(new() { DModel = 16, NLayer = 1, VocabSize = 16 }, 1);
        model.DisposeParameters();
        Assert.Multiple(() =>
        {
            Assert.That(() => model.NormF.Weight.CopyFrom(new float[16]), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => model.NormF.Weight.CopyBytesTo(0, new byte[4]), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => ModelFingerprint.Of(model), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => model.ConvertTo(GgufFileType.F16), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => Checkpoint.Save(folder, model), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => new CpuExecutor(model, 1), Throws.InstanceOf<ObjectDisposedException>());
        });
    }

    [Test]
    public void Bytes_go_in_and_out_as_they_are()
    {
        byte[] bytes = [.. Enumerable.Range(1, 34).Select(i => (byte)i)], part = new byte[4];
        Tensor tensor = Tensor.FromBytes(ElementType.Q8_0, bytes, 1, 32);
        tensor.CopyBytesTo(30, part);
        Assert.Multiple(() =>
        {
            Assert.That(part, Is.EqualTo(bytes[30..]));
            Assert.That(() => tensor.CopyBytesTo(31, part), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => tensor.CopyBytesTo(-1, part), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => tensor.CopyBytesTo(long.MaxValue, part), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => tensor.CopyFrom(new float[32]), Throws.InvalidOperationException);
            Assert.That(() => Tensor.FromBytes(ElementType.Q8_0, bytes, 2, 32), Throws.ArgumentException.With.Message.Contains("68"));
            Assert.That(() => Tensor.FromBytes(ElementType.Q8_0, bytes, 34), Throws.ArgumentException);
        });
    }

    [TestCase(long.MaxValue, 1)]
    [TestCase(long.MaxValue - 3, int.MaxValue)]
    [TestCase(64, 1)]
    [TestCase(-1, 1)]
    [TestCase(0, -1)]
    [TestCase(0, 9)]
    public void No_range_beyond_a_buffer_overflows_into_it(long offset, int count)
    {
        using TensorBuffer buffer = TensorBuffer.Allocate(64);
        Assert.That(() => buffer.Span<long>(offset, count).Length, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => buffer.Part(offset, count * 8L).Length, Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Token_documents_give_what_they_have_and_no_more()
    {
        string path = Path.Combine(folder, "data.tokens");
        using (TokenDocuments documents = TokenDocuments.Of([[1, 2, 3]]))
        {
            documents.Save(path);
        }

        TokenDocuments mapped = TokenDocuments.Open(path);
        int[] one = new int[1];
        Assert.Multiple(() =>
        {
            Assert.That(() => mapped.CopyTo(1L << 62, one), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => mapped.CopyTo(3, one), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => mapped.CopyTo(-1, one), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => mapped.Start(2), Throws.InstanceOf<ArgumentOutOfRangeException>());
        });
        mapped.CopyTo(2, one);
        Assert.That(one, Is.EqualTo(new[] { 3 }));
        mapped.Dispose();
        Assert.That(() => mapped.CopyTo(0, one), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => mapped.Start(0), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void No_public_member_gives_memory_of_a_tensor_or_a_file_away()
    {
        const BindingFlags All = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        string[] spaces = [typeof(Tensor).Namespace!, typeof(ModelSource).Namespace!, typeof(GgufFileType).Namespace!];
        IEnumerable<MethodInfo> found = typeof(Tensor).Assembly.GetExportedTypes()
            .Where(type => spaces.Contains(type.Namespace) || type == typeof(TokenDocuments))
            .SelectMany(type => type.GetMethods(All))
            .Where(method => method.ReturnType.IsPointer || method.ReturnType.Name.StartsWith("Memory`", StringComparison.Ordinal) || method.ReturnType.Name.Contains("Span`", StringComparison.Ordinal));
        Assert.That(found.Select(method => $"{method.DeclaringType!.Name}.{method.Name}"), Is.EqualTo(["Tensor.get_Shape"]));
    }
}
