using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>What lies beside the weights goes along with a conversion, or is said to be left behind; two models' files are never mixed.</summary>
public class SideFileTests
{
    private const string TokenizerConfig = """
        {"tokenizer_class": "GPTNeoXTokenizer", "eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>", "model_max_length": 2048, "chat_template": "{{ messages }} é"}
        """;

    private string root = "";

    private string Source => Path.Combine(root, "source");

    [SetUp]
    public void MakeModel()
    {
        root = Directory.CreateTempSubdirectory("mamba-side-").FullName;
        MambaConfig config = new() { DModel = 8, NLayer = 1, VocabSize = 16, BeginTokenId = 5, PadTokenId = 1, EndTokenIds = [5, 4] };
        Checkpoint.Save(Source, MambaLanguageModel.Create(config, 1));
        Write("tokenizer.json", Tokenizers.TokenizerFileTests.Good);
        Write("tokenizer_config.json", TokenizerConfig);
        Write("special_tokens_map.json", """{"eos_token": "<|endoftext|>"}""");
        Write("generation_config.json", """{"eos_token_id": [5, 4, 3], "temperature": 0.7}""");
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(root, recursive: true);

    [Test]
    public void A_folder_takes_all_files_along_and_names_the_others()
    {
        Write("README.md", "# A model");
        Write("LICENSE", "free");
        Write("chat_template.jinja", "{{ x }}");
        Write("merges.txt", "a b");
        Write("training_args.bin", "?");
        Write("pytorch_model.bin", "the same weights in another form");
        Write(".gitattributes", "*.safetensors filter=lfs");
        Directory.CreateDirectory(Path.Combine(Source, "onnx"));
        string copy = Path.Combine(root, "copy");
        ConversionResult result = ModelConversion.ToFolder(Source, copy, ElementType.Float16);
        Assert.That(result.LeftBehind, Is.EqualTo(new[] { "onnx/", "training_args.bin" }));
        string[] carried = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "README.md", "LICENSE", "chat_template.jinja", "merges.txt"];
        Assert.That(Directory.GetFiles(copy).Select(Path.GetFileName), Is.EquivalentTo([.. carried, "config.json", "model.safetensors"]));
        Assert.That(carried.Select(name => File.ReadAllText(Path.Combine(copy, name))), Is.EqualTo(carried.Select(name => File.ReadAllText(Path.Combine(Source, name)))));
        Assert.That(Opened.Model(copy).Config, Is.EqualTo(Opened.Model(Source).Config));
    }

    [Test]
    public void Files_of_a_model_that_was_there_before_are_not_mixed_with_those_of_the_new_one()
    {
        string copy = Path.Combine(root, "copy");
        ModelConversion.ToFolder(Source, copy, ElementType.Float16);
        File.WriteAllText(Path.Combine(copy, "README.md"), "mine");
        foreach (string name in new[] { "tokenizer_config.json", "special_tokens_map.json", "generation_config.json" })
        {
            File.Delete(Path.Combine(Source, name));
        }

        Assert.That(ModelConversion.ToFolder(Source, copy, ElementType.Float32).LeftBehind, Is.Empty);
        Assert.That(Directory.GetFiles(copy).Select(Path.GetFileName), Is.EquivalentTo(["config.json", "model.safetensors", "tokenizer.json", "README.md"]));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "a mapped file cannot be replaced there")]
    public void A_folder_converted_in_place_keeps_its_files()
    {
        string[] before = Directory.GetFiles(Source);
        Assert.That(ModelConversion.ToFolder(Source, Source + Path.DirectorySeparatorChar, ElementType.Float16).LeftBehind, Is.Empty);
        Assert.That(Directory.GetFiles(Source), Is.EquivalentTo(before));
        Assert.That(File.ReadAllText(Path.Combine(Source, "tokenizer_config.json")), Is.EqualTo(TokenizerConfig));
    }

    [Test]
    public void A_GGUF_file_holds_templates_and_ids_and_gives_them_back()
    {
        string first = Path.Combine(root, "first.gguf"), second = Path.Combine(root, "second.gguf"), back = Path.Combine(root, "back");
        Write("notes.txt", "!");
        ConversionResult result = ModelConversion.ToGguf(Source, first, GgufFileType.F16);
        Assert.That(result.LeftBehind, Is.EqualTo(new[] { "tokenizer_config.json (model_max_length)", "generation_config.json (temperature)", "notes.txt" }));
        Assert.That(ModelConversion.ToGguf(first, second, GgufFileType.F32).LeftBehind, Is.Empty);
        Assert.That(ModelConversion.ToFolder(second, back, ElementType.Float32).LeftBehind, Is.Empty);
        using GgufFile file = GgufFile.Open(second);
        string[] ids = ["bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id", "padding_token_id"];
        Assert.That(ids.Select(name => file.Metadata.GetInteger("tokenizer.ggml." + name)), Is.EqualTo(new[] { 5, 5, 4, 3, 1 }));
        Assert.That(file.Metadata.GetString("tokenizer.chat_template"), Is.EqualTo("{{ messages }} é"));
        using JsonDocument tokenizer = Json(back, "tokenizer_config.json"), generation = Json(back, "generation_config.json"), config = Json(back, "config.json");
        Assert.That(tokenizer.RootElement.GetProperty("chat_template").GetString(), Is.EqualTo("{{ messages }} é"));
        Assert.That(tokenizer.RootElement.GetProperty("eos_token").GetString(), Is.EqualTo("<|endoftext|>"));
        Assert.That(tokenizer.RootElement.TryGetProperty("pad_token", out _), Is.False, "an ordinary token is not to be cut out of texts");
        Assert.That(generation.RootElement.GetProperty("eos_token_id").EnumerateArray().Select(id => id.GetInt32()), Is.EqualTo(new[] { 5, 4, 3 }));
        Assert.That(config.RootElement.GetProperty("pad_token_id").GetInt32(), Is.EqualTo(1));
        foreach (string path in new[] { Source, first, second, back })
        {
            using ModelSource source = ModelSource.Open(path);
            Assert.That(source.Tokenizer.EndTokenIds, Is.EqualTo(new[] { 5, 4, 3 }), path);
        }
    }

    [Test]
    public void Ends_beyond_those_that_a_GGUF_file_can_name_are_said_to_be_left_behind()
    {
        Write("generation_config.json", """{"eos_token_id": [0, 1, 2, 3, 4]}""");
        ConversionResult result = ModelConversion.ToGguf(Source, Path.Combine(root, "model.gguf"), GgufFileType.F32);
        Assert.That(result.LeftBehind[0], Is.EqualTo("end tokens 3, 4"), "5 is a control token whose text ends a text");
    }

    [TestCase("chat_template.jinja", "one {{ x }}", "default=one {{ x }}")]
    [TestCase("chat_template.json", """{"chat_template": "two"}""", "default=two")]
    [TestCase("tokenizer_config.json", """{"chat_template": [{"name": "default", "template": "three"}, {"name": "tool_use", "template": "four"}]}""", "default=three|tool_use=four")]
    public void Templates_of_every_form_come_back(string name, string text, string expected)
    {
        Write(name, text);
        string file = Path.Combine(root, "model.gguf"), back = Path.Combine(root, "back");
        ModelConversion.ToGguf(Source, file, GgufFileType.F32);
        ModelConversion.ToFolder(file, back, ElementType.Float32);
        Assert.That(ChatTemplates.OfFolder(back).Select(template => $"{template.Key}={template.Value}"), Is.EqualTo(expected.Split('|')));
    }

    [Test]
    public void Values_of_a_GGUF_file_that_nobody_reads_here_go_into_the_next_one()
    {
        string first = Path.Combine(root, "first.gguf"), changed = Path.Combine(root, "changed.gguf"), second = Path.Combine(root, "second.gguf");
        ModelConversion.ToGguf(Source, first, GgufFileType.F32);
        using (GgufFile file = GgufFile.Open(first))
        {
            file.Metadata["general.license"] = GgufValue.From("apache-2.0");
            file.Metadata["quantize.imatrix.file"] = GgufValue.From("of the old weights");
            GgufFile.Save(changed, file.Metadata, file.Tensors);
        }

        ModelConversion.ToGguf(changed, second, GgufFileType.F16);
        using GgufFile found = GgufFile.Open(second);
        Assert.That(found.Metadata.GetString("general.license"), Is.EqualTo("apache-2.0"));
        Assert.That(found.Metadata.ContainsKey("quantize.imatrix.file"), Is.False);
        Assert.That(found.Metadata.GetInteger("general.file_type"), Is.EqualTo(1));
    }

    [Test]
    public void A_dozen_names_are_enough()
    {
        for (int i = 0; i < 20; i++)
        {
            Write($"file{i:d2}", "");
        }

        IReadOnlyList<string> left = ModelConversion.ToFolder(Source, Path.Combine(root, "copy"), ElementType.Float32).LeftBehind;
        Assert.That(left, Has.Count.EqualTo(13));
        Assert.That(left[^1], Is.EqualTo("and 8 more"));
    }

    private static JsonDocument Json(string folder, string name) => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, name)));

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(Source, name), text);
}
