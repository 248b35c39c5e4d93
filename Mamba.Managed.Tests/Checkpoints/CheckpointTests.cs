using System.IO.Compression;
using System.Text;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>Model folders: what loads, what is saved, and the one clear error that everything else gets.</summary>
public class CheckpointTests
{
    private string folder = "";

    private static string Fixtures => Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-test").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void The_original_layout_gives_the_bits_of_the_Hugging_Face_one()
    {
        MambaLanguageModel original = Opened.Model(Path.Combine(Fixtures, "mamba1-tiny-original"));
        MambaLanguageModel model = Opened.Model(Path.Combine(Fixtures, "mamba1-tiny"));
        Assert.That(original.Head, Is.Null, "tied");
        Assert.That(original.Config with { EndTokenId = null }, Is.EqualTo(model.Config with
        {
            EndTokenId = null,
            BeginTokenId = null,
            PadTokenId = null,
            InitializerRange = original.Config.InitializerRange,
            RescalePrenormResidual = original.Config.RescalePrenormResidual,
        }));
        AssertSameBytes(original, model);
    }

    [TestCase("mamba1-tiny")]
    [TestCase("mamba1-odd")]
    [TestCase("mamba1-tiny-bf16-sharded")]
    [TestCase("mamba1-tiny-f16-sharded")]
    [TestCase("mamba1-tiny-original")]
    [TestCase("falcon-mamba-tiny")]
    public void Load_save_load_gives_the_same_bytes(string name)
    {
        MambaLanguageModel model = Opened.Model(Path.Combine(Fixtures, name));
        Checkpoint.Save(folder, model);
        MambaLanguageModel again = Opened.Model(folder);
        Assert.That(again.Config, Is.EqualTo(model.Config));
        AssertSameBytes(again, model);
        Assert.That(Directory.GetFiles(folder).Select(Path.GetFileName), Is.EquivalentTo(["config.json", "model.safetensors"]));
    }

    [Test]
    public void A_model_with_biases_on_one_projection_alone_survives()
    {
        MambaConfig config = new() { DModel = 8, NLayer = 1, VocabSize = 11, OutProjBias = true, TieEmbeddings = false, EndTokenId = 3 };
        Checkpoint.Save(folder, MambaLanguageModel.Create(config, 1));
        Assert.That(Opened.Model(folder).Config.OutProjBias);
        Assert.That(Opened.Model(folder).Config.InProjBias, Is.False);
    }

    [Test]
    public void A_folder_that_is_not_there_is_named() =>
        Assert.That(() => Opened.Model(Path.Combine(folder, "none")), Throws.InstanceOf<FileNotFoundException>().With.Message.Contains("none"));

    [Test]
    public void A_folder_without_configuration_or_weights_says_which_file_it_lacks()
    {
        Assert.That(() => Opened.Model(folder), Throws.InstanceOf<FileNotFoundException>().With.Message.Contains("config.json"));
        CopyFixture("mamba1-tiny", "config.json");
        Assert.That(() => Opened.Model(folder), Throws.InstanceOf<FileNotFoundException>().With.Message.Contains("pytorch_model.bin"));
    }

    [Test]
    public void A_missing_shard_is_named()
    {
        CopyFixture("mamba1-tiny-f16-sharded", "config.json", "model.safetensors.index.json", "model-00001-of-00005.safetensors");
        Assert.That(() => Opened.Model(folder), Throws.InstanceOf<FileNotFoundException>().With.Message.Contains("model-00004-of-00005.safetensors"));
    }

    [Test]
    public void An_index_must_not_lead_out_of_the_folder()
    {
        CopyFixture("mamba1-tiny-f16-sharded", "config.json");
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), """{"weight_map": {"a": "../secret.safetensors"}}""");
        Assert.That(() => Opened.Model(folder), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("secret"));
    }

    [Test]
    public void Missing_unknown_and_wrongly_shaped_tensors_are_all_listed()
    {
        MambaLanguageModel model = Opened.Model(Path.Combine(Fixtures, "mamba1-tiny"));
        Dictionary<string, Tensor> tensors = new(model.Parameters());
        tensors.Remove("backbone.layers.0.mixer.D");
        tensors.Remove("backbone.norm_f.weight");
        tensors["backbone.layers.0.mixer.E"] = Tensor.Zeros(ElementType.Float32, 3);
        tensors["backbone.layers.1.norm.weight"] = Tensor.Zeros(ElementType.Float32, 7);
        CopyFixture("mamba1-tiny", "config.json");
        SafetensorsFile.Save(Path.Combine(folder, "model.safetensors"), tensors);
        Assert.That(() => Opened.Model(folder), Throws.InstanceOf<InvalidDataException>()
            .With.Message.Contains("backbone.layers.0.mixer.D ").And.Message.Contains("backbone.norm_f.weight")
            .And.Message.Contains("backbone.layers.0.mixer.E is unknown").And.Message.Contains("Float32 [7]"));
    }

    [Test]
    public void A_tied_head_that_is_stored_twice_is_one_tensor()
    {
        MambaLanguageModel model = Opened.Model(Path.Combine(Fixtures, "mamba1-tiny"));
        Dictionary<string, Tensor> tensors = new(model.Parameters()) { ["lm_head.weight"] = model.Embeddings.Weight };
        CopyFixture("mamba1-tiny", "config.json");
        SafetensorsFile.Save(Path.Combine(folder, "model.safetensors"), tensors);
        MambaLanguageModel loaded = Opened.Model(folder);
        Assert.That(loaded.HeadWeight, Is.SameAs(loaded.Embeddings.Weight));
    }

    [TestCase("""{"model_type": "mamba", "hidden_size": 64, "num_hidden_layers": 2147483647, "vocab_size": 8}""", "n_layer")]
    [TestCase("""{"model_type": "mamba", "hidden_size": 4294967296, "num_hidden_layers": 1, "vocab_size": 8}""", "hidden_size")]
    [TestCase("""{"model_type": "mamba", "hidden_size": -1, "num_hidden_layers": 1, "vocab_size": 8}""", "hidden_size")]
    [TestCase("""{"model_type": "mamba", "hidden_size": 65536, "num_hidden_layers": 1, "vocab_size": 16777216}""", "vocab_size")]
    [TestCase("""{"model_type": "mamba", "num_hidden_layers": 1, "vocab_size": 8}""", "hidden_size")]
    [TestCase("""{"model_type": "mamba", "hidden_size": 8, "num_hidden_layers": 1, "vocab_size": 8, "layer_norm_epsilon": "x"}""", "layer_norm_epsilon")]
    [TestCase("""{"model_type": "mamba", "hidden_size": 8, "num_hidden_layers": 1, "vocab_size": 8, "hidden_act": "relu"}""", "relu")]
    [TestCase("""{"model_type": "llama", "hidden_size": 8}""", "llama")]
    [TestCase("""{"d_model": 8, "n_layer": 1, "vocab_size": 8, "ssm_cfg": {"layer": "Mamba2"}}""", "Mamba2")]
    [TestCase("""{"d_model": 8, "n_layer": 1, "vocab_size": 8, "rms_norm": false}""", "rms_norm")]
    [TestCase("""[1, 2]""", "object")]
    [TestCase("""{"model_type": """, "config.json")]
    [TestCase("", "config.json")]
    public void A_configuration_that_cannot_be_built_is_refused_before_anything_is_allocated(string json, string named)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), json);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => Opened.Model(folder), Throws.InstanceOf<InvalidDataException>().With.Message.Contains(named).And.Message.Contains("config.json"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(4_000_000));
    }

    [Test]
    public void Text_that_is_not_UTF8_is_refused()
    {
        File.WriteAllBytes(Path.Combine(folder, "config.json"), [.. "{\"model_type\": \""u8, 0xFF, 0xC0, .. "\"}"u8]);
        Assert.That(() => Opened.Model(folder), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("UTF-8"));
    }

    [TestCase("cos\nsystem\nX\u0004\0\0\0echo\u0085R.", "os", TestName = "A_pickle_that_calls_a_function_is_refused")]
    [TestCase("]q\0h\0a.", "dictionary", TestName = "A_list_that_holds_itself_ends")]
    [TestCase("}q\0X\u0001\0\0\0ah\0s.", "tensor", TestName = "A_dictionary_that_holds_itself_ends")]
    [TestCase("}", "pickle", TestName = "A_pickle_that_stops_short_is_refused")]
    public void A_pickle_is_read_and_never_run(string program, string named)
    {
        CopyFixture("mamba1-tiny-original", "config.json");
        WriteArchive([0x80, 2, .. Encoding.Latin1.GetBytes(program)], CompressionLevel.NoCompression);
        Assert.That(() => Opened.Model(folder), Throws.InstanceOf<InvalidDataException>().With.Message.Contains(named));
    }

    [Test]
    public void A_zip_bomb_is_not_unpacked()
    {
        CopyFixture("mamba1-tiny-original", "config.json");
        WriteArchive(new byte[50_000_000], CompressionLevel.SmallestSize);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => Opened.Model(folder), Throws.InstanceOf<InvalidDataException>());
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(4_000_000));
    }

    private static void AssertSameBytes(MambaLanguageModel found, MambaLanguageModel expected)
    {
        foreach (((string name, Tensor a), (string other, Tensor b)) in found.Parameters().Zip(expected.Parameters()))
        {
            Assert.That(name, Is.EqualTo(other));
            Assert.That(a.ToString(), Is.EqualTo(b.ToString()), name);
            Assert.That(a.Bytes.SequenceEqual(b.Bytes), name);
        }
    }

    private void WriteArchive(byte[] pickle, CompressionLevel level)
    {
        using ZipArchive archive = ZipFile.Open(Path.Combine(folder, "pytorch_model.bin"), ZipArchiveMode.Create);
        using Stream entry = archive.CreateEntry("pytorch_model/data.pkl", level).Open();
        entry.Write(pickle);
    }

    private void CopyFixture(string name, params string[] files)
    {
        foreach (string file in files)
        {
            File.Copy(Path.Combine(Fixtures, name, file), Path.Combine(folder, file));
        }
    }
}
