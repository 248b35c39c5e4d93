using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints.Gguf;

/// <summary>What a GGUF file's metadata and tensors ask for is done or refused by name.</summary>
public class GgufKeysTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-keys-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, recursive: true);

    [TestCase("mamba.rope.freq_base", 10000u)]
    [TestCase("mamba.rope.dimension_count", 64u)]
    [TestCase("mamba.feed_forward_length", 128u)]
    [TestCase("mamba.attention.head_count", 4u)]
    [TestCase("mamba.ssm.group_count", 2u)]
    [TestCase("mamba.expert_count", 8u)]
    [TestCase("mamba.logit_scale", 2u)]
    [TestCase("mamba.vocab_size", 47u)]
    [TestCase("general.quantization_version", 1u)]
    [TestCase("adapter.lora.alpha", 1u)]
    public void A_key_that_changes_the_model_is_refused_by_name(string key, uint value) => AssertRefused(key, metadata => metadata[key] = GgufValue.From(value));

    [TestCase("adapter")]
    [TestCase("imatrix")]
    [TestCase("mmproj")]
    public void A_file_that_is_no_model_is_refused_by_name(string type) => AssertRefused(type, metadata =>
    {
        metadata["general.type"] = GgufValue.From(type);
        metadata["general.architecture"] = GgufValue.From("clip");
    });

    [TestCase("general.type", "model")]
    [TestCase("general.license", "mit")]
    [TestCase("quantize.imatrix.file", "x.dat")]
    [TestCase("tokenizer.chat_template", "{{ messages }}")]
    public void A_key_that_describes_the_file_is_without_effect(string key, string value)
    {
        Assert.That(Opened.Model(Changed(metadata => metadata[key] = GgufValue.From(value))).Config.NLayer, Is.EqualTo(2));
    }

    [TestCase("mamba.context_length", 2048u)]
    [TestCase("mamba.vocab_size", 48u)]
    [TestCase("mamba.attention.head_count_kv", 0u)]
    public void A_number_that_asks_for_nothing_is_without_effect(string key, uint value)
    {
        Assert.That(Opened.Model(Changed(metadata => metadata[key] = GgufValue.From(value))).Config.NLayer, Is.EqualTo(2));
    }

    [TestCase("rope_freqs.weight")]
    [TestCase("output.bias")]
    [TestCase("blk.0.ffn_up.weight")]
    [TestCase("blk.2.ssm_d")]
    [TestCase("blk.1.ssm_in.bias")]
    public void A_tensor_that_has_no_place_is_named(string name)
    {
        string canonical = GgufNames.ToCanonical(name) ?? name;
        string path = Changed(_ => { }, new KeyValuePair<string, Tensor>(name, Tensor.Zeros(ElementType.Float32, 128)));
        Assert.That(() => Opened.Model(path), Throws.InstanceOf<InvalidDataException>().With.Message.StartsWith(path).And.Message.Contains(canonical));
    }

    [Test]
    public void A_stored_head_is_used()
    {
        string path = Changed(_ => { }, new KeyValuePair<string, Tensor>("output.weight", Tensor.Zeros(ElementType.Float32, 48, 32)));
        Assert.That(Opened.Model(path).Config.TieEmbeddings, Is.False);
        Assert.That(Opened.Model(path).HeadWeight.ToArray(), Is.All.Zero);
    }

    [Test]
    public void A_vocabulary_alone_is_called_what_it_is()
    {
        string path = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "gguf", "gpt-neox-vocab.gguf");
        Assert.That(() => Opened.Model(path), Throws.InstanceOf<InvalidDataException>());
        string own = Path.Combine(folder, "vocabulary.gguf");
        GgufFile.Save(own, new() { ["general.architecture"] = GgufValue.From("mamba") }, []);
        Assert.That(() => Opened.Model(own), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("a tokenizer alone"));
    }

    [Test]
    public void Unknown_tensors_are_listed_up_to_a_dozen()
    {
        string path = Changed(_ => { }, [.. Enumerable.Range(0, 300).Select(i => KeyValuePair.Create(new string('x', 200) + i, Tensor.Zeros(ElementType.Float32, 1)))]);
        Assert.That(() => Opened.Model(path), Throws.InstanceOf<InvalidDataException>().With.Message.EndsWith("and 288 more").And.Message.Length.LessThan(2000));
    }

    private void AssertRefused(string named, Action<GgufMetadata> change)
    {
        string path = Changed(change);
        Assert.That(() => Opened.Model(path), Throws.InstanceOf<InvalidDataException>().With.Message.StartsWith(path).And.Message.Contains(named));
    }

    private string Changed(Action<GgufMetadata> change, params KeyValuePair<string, Tensor>[] more)
    {
        string path = Path.Combine(folder, "model.gguf"), changed = Path.Combine(folder, "changed.gguf");
        GgufCheckpoint.Save(path, GgufFixtures.SmallModel(), GgufFileType.Q8_0);
        using GgufFile file = GgufFile.Open(path);
        change(file.Metadata);
        GgufFile.Save(changed, file.Metadata, [.. file.Tensors, .. more]);
        return changed;
    }
}
