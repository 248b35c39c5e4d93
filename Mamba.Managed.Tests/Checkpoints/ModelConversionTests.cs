using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Execution;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Checkpoints;

public class ModelConversionTests
{
    private static readonly string Fixtures = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-conversion-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, recursive: true);

    [TestCase("mamba1-tiny")]
    [TestCase("mamba1-odd")]
    [TestCase("falcon-mamba-tiny")]
    [TestCase("mamba1-tiny-bf16-sharded")]
    public void A_published_layout_gives_the_same_logits_as_a_GGUF_file(string name)
    {
        string source = Path.Combine(Fixtures, name), path = Path.Combine(folder, "model.gguf");
        ModelConversion.ToGguf(source, path, GgufFileType.F32);
        float[] expected = Logits(Opened.Model(source));
        Assert.That(Logits(Opened.Model(path)), Is.EqualTo(expected).Within(1e-5 * expected.Max(Math.Abs)));
        Assert.That(GgufFile.Open(path).Metadata.GetString("general.name"), Is.EqualTo(name));
    }

    [Test]
    public void A_model_of_bytes_carries_their_tokenizer_and_keeps_it_from_file_to_file()
    {
        string first = Path.Combine(folder, "first.gguf"), second = Path.Combine(folder, "second.gguf");
        ModelConversion.ToGguf(Path.Combine(Fixtures, "shakespeare-bytes"), first, GgufFileType.Q8_0);
        ModelConversion.ToGguf(first, second, GgufFileType.Q8_0);
        GgufVocabulary? vocabulary = GgufVocabulary.Read(GgufFile.Open(second).Metadata);
        Assert.That(vocabulary?.Tokens, Is.EqualTo(GgufVocabulary.OfBytes().Tokens));
        Assert.That(GgufFile.Open(second).Metadata.Keys, Is.EqualTo(GgufFile.Open(first).Metadata.Keys));
    }

    [Test]
    public void The_published_tokenizer_goes_along_from_folder_to_file_and_back()
    {
        MambaConfig config = new() { DModel = 16, NLayer = 1, VocabSize = 50280 };
        string first = Path.Combine(folder, "first"), file = Path.Combine(folder, "model.gguf"), second = Path.Combine(folder, "second"), third = Path.Combine(folder, "third");
        Checkpoint.Save(first, MambaLanguageModel.Create(config, 1));
        File.Copy(Path.Combine(Fixtures, "gpt-neox-tokenizer", "tokenizer.json"), Path.Combine(first, "tokenizer.json"));
        ModelConversion.ToGguf(first, file, GgufFileType.F16);
        ModelConversion.ToFolder(file, second, ElementType.BFloat16);
        ModelConversion.ToFolder(second, third, ElementType.Float16);

        GgufVocabulary expected = GgufVocabulary.Read(GgufFile.Open(Path.Combine(Fixtures, "gguf", "gpt-neox-vocab.gguf")).Metadata)!;
        GgufVocabulary found = GgufVocabulary.Read(GgufFile.Open(file).Metadata)!;
        const int Known = 50277;
        Assert.That(found.Tokens.Take(Known), Is.EqualTo(expected.Tokens.Take(Known)));
        Assert.That(found.TokenTypes.Take(Known), Is.EqualTo(expected.TokenTypes.Take(Known)));
        Assert.That(found.Merges, Is.EqualTo(expected.Merges));
        Assert.That((found.StartTokenId, found.EndTokenId, found.Pre), Is.EqualTo((0, 0, "olmo")));

        Tokenizer[] tokenizers = [.. new[] { first, file, second, third }.Select(path => ModelSource.Open(path).Tokenizer)];
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures, "gpt-neox-tokenizer", "golden.json")));
        foreach (JsonElement entry in golden.RootElement.EnumerateArray())
        {
            int[] ids = [.. entry.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            Assert.That(tokenizers.Select(tokenizer => tokenizer.Encode(entry.GetProperty("text").GetString()!)), Is.All.EqualTo(ids));
        }
    }

    [Test]
    public void A_tokenizer_that_is_not_supported_is_not_left_out_in_silence()
    {
        string source = Path.Combine(folder, "source"), file = Path.Combine(folder, "model.gguf");
        Checkpoint.Save(source, MambaLanguageModel.Create(new() { DModel = 16, NLayer = 1, VocabSize = 300 }, 1));
        File.WriteAllText(Path.Combine(source, "tokenizer.json"), """{ "model": { "type": "Unigram" } }""");
        Assert.That(
            () => ModelConversion.ToGguf(source, file, GgufFileType.F16),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("expected BPE, found Unigram").And.Message.Contains("move the file away"));
        Assert.That(File.Exists(file), Is.False);
    }

    [Test]
    public void A_model_of_bytes_needs_no_tokenizer_in_its_folder()
    {
        string file = Path.Combine(folder, "model.gguf"), back = Path.Combine(folder, "back");
        ModelConversion.ToGguf(Path.Combine(Fixtures, "shakespeare-bytes"), file, GgufFileType.F32);
        Directory.CreateDirectory(back);
        File.WriteAllText(Path.Combine(back, "tokenizer.json"), "of the model that was here before");
        ModelConversion.ToFolder(file, back, ElementType.Float32);
        Assert.That(File.Exists(Path.Combine(back, "tokenizer.json")), Is.False);
        Assert.That(ModelSource.Open(back).Tokenizer, Is.TypeOf<ByteTokenizer>());
    }

    [Test]
    public void A_model_is_held_in_the_type_asked_for([Values(ElementType.Float32, ElementType.Float16, ElementType.BFloat16)] ElementType type)
    {
        MambaLanguageModel model = Opened.Model(Path.Combine(Fixtures, "gguf", "shakespeare-Q4_0.gguf")).ConvertTo(type);
        Assert.That(model.Parameters().Select(p => p.Value.Type), Is.All.EqualTo(type));
    }

    [Test]
    public void Random_weights_are_held_as_a_file_would_hold_them([Values(GgufFileType.F16, GgufFileType.Q5_1, GgufFileType.Q4_K_M)] GgufFileType type)
    {
        string path = Path.Combine(folder, "model.gguf");
        MambaConfig config = new() { DModel = 128, NLayer = 1, VocabSize = 300 };
        GgufCheckpoint.Save(path, MambaLanguageModel.Create(config, 3), type);
        MambaLanguageModel held = MambaLanguageModel.Create(config, 3, ModelConversion.Converter(type, config));
        Dictionary<string, Tensor> expected = Opened.Model(path).Parameters().ToDictionary(p => p.Key, p => p.Value);
        foreach ((string name, Tensor tensor) in held.Parameters())
        {
            Assert.That(tensor.Type, Is.EqualTo(expected[name].Type), name);
            Assert.That(name.EndsWith("A_log", StringComparison.Ordinal) || tensor.Bytes.SequenceEqual(expected[name].Bytes), name);
        }

        GC.KeepAlive(expected);
    }

    [Test]
    public void Blocks_are_no_type_for_a_whole_model() => Assert.That(
        () => Opened.Model(Path.Combine(Fixtures, "gguf", "shakespeare-Q4_0.gguf")).ConvertTo(ElementType.Q8_0),
        Throws.ArgumentException.With.Message.Contains("Q8_0"));

    [Test]
    public void What_is_neither_folder_nor_file_is_said_to_be_missing() =>
        Assert.That(() => Opened.Model(Path.Combine(folder, "none")), Throws.InstanceOf<FileNotFoundException>().With.Message.Contains("found neither"));

    private static float[] Logits(MambaLanguageModel model)
    {
        int[] tokens = [.. Enumerable.Range(0, 40).Select(i => i * 31 % model.Config.VocabSize)];
        using CpuExecutor executor = new(model, 2);
        float[] logits = new float[tokens.Length * model.Config.VocabSize];
        executor.Prefill(tokens, executor.CreateState(), logits);
        return logits;
    }
}
