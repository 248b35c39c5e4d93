using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>Which tokens end a text: every file that can name one does, and an id that is no token's is refused where a tokenizer is needed.</summary>
public class EndTokenTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-ends-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    // The small tokenizer has the tokens a, b, c, ab, abc and the added ones <|endoftext|> (5) and two spaces (6).
    [TestCase("3", null, null, null, "3")]
    [TestCase("[3, 4]", null, null, null, "3 4")]
    [TestCase("[4, 3.0]", null, null, null, "4 3")]
    [TestCase("[]", null, null, null, "5")]
    [TestCase("null", null, null, null, "5")]
    [TestCase("0", "[4, 3]", null, null, "4 3")]
    [TestCase("0", "4", null, null, "4")]
    [TestCase("3", "null", null, null, "3")]
    [TestCase(null, null, "\"<|endoftext|>\"", null, "5")]
    [TestCase(null, null, "{\"content\": \"abc\", \"special\": true}", null, "4")]
    [TestCase(null, null, null, "\"abc\"", "4")]
    [TestCase(null, null, "\"ab\"", "\"abc\"", "3")]
    [TestCase("3", null, "\"abc\"", null, "3 4")]
    [TestCase("3", null, "\"ab\"", null, "3")]
    [TestCase("3", null, "\"<not a token>\"", null, "3")]
    public void A_folder_names_ends_in_several_files(string? config, string? generation, string? tokenizer, string? special, string expected)
    {
        WriteModel(config is null ? null : $"\"eos_token_id\": {config}");
        Write("generation_config.json", "eos_token_id", generation);
        Write("tokenizer_config.json", "eos_token", tokenizer);
        Write("special_tokens_map.json", "eos_token", special);
        int[] ends = [.. expected.Split(' ').Select(id => int.Parse(id, null))];
        using ModelSource source = ModelSource.Open(folder);
        Assert.That(source.Tokenizer.EndTokenIds, Is.EqualTo(ends));
        Assert.That(ModelTokenizer.Find(folder)!.EndTokenIds, Is.EqualTo(ends));
    }

    [TestCase("50300", null, "config.json")]
    [TestCase("[3, 7]", null, "config.json")]
    [TestCase("-1", null, "config.json")]
    [TestCase("4294967295", null, "config.json")]
    [TestCase("3", "[3, 99]", "generation_config.json")]
    public void An_id_that_is_no_tokens_is_refused_with_file_and_field_where_a_tokenizer_is_needed(string config, string? generation, string file)
    {
        WriteModel($"\"eos_token_id\": {config}");
        Write("generation_config.json", "eos_token_id", generation);
        using ModelSource source = ModelSource.Open(folder);
        Assert.That(source.Model.Config.VocabSize, Is.EqualTo(16), "the model alone loads");
        Assert.That(() => source.Tokenizer, Throws.TypeOf<InvalidDataException>().With.Message.StartsWith($"{Path.Combine(folder, file)}: eos_token_id: expected the id of a token"));
        Assert.That(() => ModelTokenizer.Find(folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains(file));
        Assert.That(() => ModelConversion.ToGguf(folder, Path.Combine(folder, "x.gguf"), GgufFileType.F32), Throws.TypeOf<InvalidDataException>().With.Message.Contains(file));
    }

    [TestCase("tokenizer_config.json", """{"eos_token": 5}""", "eos_token: expected the text of a token, found 5")]
    [TestCase("tokenizer_config.json", """{"add_bos_token": true}""", "add_bos_token: expected what the tokenizer does, which does not add bos_token to a text; found true")]
    [TestCase("tokenizer_config.json", """{"add_eos_token": true, "eos_token": "<|endoftext|>"}""", "add_eos_token: expected what the tokenizer does, which does not add eos_token to a text; found true")]
    [TestCase("tokenizer_config.json", """{"add_bos_token": "yes"}""", "add_bos_token: expected true or false")]
    [TestCase("tokenizer_config.json", """{"added_tokens_decoder": {"7": {"content": "<|im_end|>"}}}""", "found '<|im_end|>' with id 7")]
    [TestCase("generation_config.json", """{"eos_token_id": "x"}""", "eos_token_id: expected an integer or a list of them")]
    public void What_the_files_beside_a_tokenizer_ask_for_is_done_or_refused_by_name(string file, string json, string expected)
    {
        WriteModel(null);
        File.WriteAllText(Path.Combine(folder, file), json);
        Assert.That(() => ModelTokenizer.Find(folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains(file).And.Message.Contains(expected));
    }

    [TestCase("GPTNeoXTokenizerFast", "false", true, false)]
    [TestCase("LlamaTokenizer", "false", true, false)]
    [TestCase("PreTrainedTokenizerFast", "false", true, true)]
    [TestCase("LlamaTokenizerFast", "true", true, true)]
    [TestCase("LlamaTokenizerFast", "null", true, true)]
    [TestCase("LlamaTokenizerFast", "false", false, true)]
    [TestCase("PreTrainedTokenizerFast", "true", false, false)]
    public void A_flag_says_what_the_tokenizer_does(string kind, string flag, bool isAdded, bool agrees)
    {
        WriteModel(null);
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), $$"""{"tokenizer_class": "{{kind}}", "bos_token": "<|endoftext|>", "add_bos_token": {{flag}}}""");
        (TokenizerParts parts, FolderTokens beside) = ModelTokenizer.PartsOfFolder(folder, null);
        parts = parts with { Steps = parts.Steps with { PostProcessor = SequenceTemplate.Json(isAdded ? ("<|endoftext|>", 5) : null, null) } };
        NUnit.Framework.Constraints.IResolveConstraint expected = agrees ? Throws.Nothing : Throws.TypeOf<InvalidDataException>().With.Message.Contains("add_bos_token");
        Assert.That(() => beside.RequireAgreement(parts), expected);
    }

    [Test]
    public void Flags_and_tokens_that_agree_are_read()
    {
        WriteModel(null);
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """
            {"add_bos_token": false, "add_eos_token": false, "bos_token": "<|endoftext|>", "added_tokens_decoder": {"5": {"content": "<|endoftext|>"}}, "chat_template": "{{ x }}"}
            """);
        Assert.That(ModelTokenizer.Find(folder)!.Encode("ab"), Is.EqualTo(new[] { 3 }));
    }

    [TestCase("0", null, "")]
    [TestCase("10", null, "10")]
    [TestCase("[0, 10]", null, "10")]
    [TestCase("0", "[10, 4]", "10 4")]
    [TestCase(null, null, "")]
    public void A_model_of_bytes_ends_where_a_file_names_another_byte_than_0(string? config, string? generation, string expected)
    {
        WriteModel(config is null ? null : $"\"eos_token_id\": {config}", 256);
        File.Delete(Path.Combine(folder, "tokenizer.json"));
        Write("generation_config.json", "eos_token_id", generation);
        string file = Path.Combine(folder, "model.gguf"), back = Path.Combine(folder, "back");
        ModelConversion.ToGguf(folder, file, GgufFileType.F32);
        ModelConversion.ToFolder(file, back, ElementType.Float32);
        foreach (string path in new[] { folder, file, back })
        {
            using ModelSource source = ModelSource.Open(path);
            Assert.That(string.Join(' ', source.Tokenizer.EndTokenIds), Is.EqualTo(expected), path);
        }
    }

    [Test]
    public void A_byte_beyond_255_is_none()
    {
        WriteModel("\"eos_token_id\": 50256", 256);
        File.Delete(Path.Combine(folder, "tokenizer.json"));
        using ModelSource source = ModelSource.Open(folder);
        Assert.That(() => source.Tokenizer, Throws.TypeOf<InvalidDataException>().With.Message.Contains("config.json: eos_token_id: expected a byte"));
    }

    [TestCase("eos_token_id", 3u, "3 5")]
    [TestCase("eot_token_id", 3u, "5 3")]
    [TestCase("eom_token_id", 3u, "5 3")]
    [TestCase("eot_token_id", 5u, "5")]
    public void A_GGUF_file_has_several_ends(string key, uint id, string expected)
    {
        string path = WriteGguf(metadata => metadata["tokenizer.ggml." + key] = GgufValue.From(id));
        using ModelSource source = ModelSource.Open(path);
        Assert.That(string.Join(' ', source.Tokenizer.EndTokenIds), Is.EqualTo(expected));
    }

    [TestCase("eos_token_id", 7u)]
    [TestCase("eos_token_id", uint.MaxValue)]
    [TestCase("eot_token_id", uint.MaxValue)]
    [TestCase("bos_token_id", 2147483648u)]
    [TestCase("unknown_token_id", uint.MaxValue)]
    public void A_GGUF_file_with_an_id_that_is_no_tokens_has_a_model_and_no_tokenizer(string key, uint id)
    {
        string path = WriteGguf(metadata => metadata["tokenizer.ggml." + key] = GgufValue.From(id));
        using ModelSource source = ModelSource.Open(path);
        Assert.That(source.Model.Config.VocabSize, Is.EqualTo(7));
        string expected = $"{path}: tokenizer.ggml.{key}: expected an id below 7, found {id}";
        Assert.That(() => source.Tokenizer, Throws.TypeOf<InvalidDataException>().With.Message.EqualTo(expected));
        Assert.That(() => ModelTokenizer.Find(path), Throws.TypeOf<InvalidDataException>().With.Message.EqualTo(expected));
        Assert.That(() => ModelConversion.ToFolder(path, folder, ElementType.Float32), Throws.TypeOf<InvalidDataException>().With.Message.EqualTo(expected));
        Assert.That(Directory.GetFiles(folder, "*.json"), Is.Empty);
    }

    [Test]
    public void A_padding_token_of_minus_one_is_none()
    {
        string path = WriteGguf(metadata => metadata["tokenizer.ggml.padding_token_id"] = GgufValue.From(uint.MaxValue));
        using ModelSource source = ModelSource.Open(path);
        Assert.That(source.Tokenizer.Encode("abc"), Is.EqualTo(new[] { 4 }));
    }

    [Test]
    public void A_control_token_that_ends_turns_by_its_name_is_an_end_in_a_GGUF_file()
    {
        string path = WriteGguf(metadata => metadata["tokenizer.ggml.tokens"] = GgufValue.From((string[])["a", "b", "c", "ab", "abc", "<|im_end|>", "<|eot_id|>"]));
        using ModelSource source = ModelSource.Open(path);
        Assert.That(source.Tokenizer.EndTokenIds, Is.EqualTo(new[] { 5 }), "the other one is ordinary text");
    }

    // The tokens of the small tokenizer; 5 is a control token and the end, 6 an ordinary added one.
    private string WriteGguf(Action<GgufMetadata> change)
    {
        string first = Path.Combine(folder, "first.gguf"), path = Path.Combine(folder, "model.gguf");
        GgufVocabulary vocabulary = new("gpt2", "olmo", ["a", "b", "c", "ab", "abc", "<|endoftext|>", "  "], [1, 1, 1, 1, 1, 3, 4], ["a b", "ab c"]) { EndTokenId = 5 };
        GgufCheckpoint.Save(first, MambaLanguageModel.Create(new() { DModel = 32, NLayer = 1, VocabSize = 7 }, 1), GgufFileType.F32, vocabulary);
        using GgufFile file = GgufFile.Open(first);
        change(file.Metadata);
        GgufFile.Save(path, file.Metadata, file.Tensors);
        return path;
    }

    private void Write(string file, string field, string? value)
    {
        if (value is not null)
        {
            File.WriteAllText(Path.Combine(folder, file), $"{{\"{field}\": {value}}}");
        }
    }

    private void WriteModel(string? ids, int vocabulary = 16)
    {
        Checkpoint.Save(folder, MambaLanguageModel.Create(new() { DModel = 8, NLayer = 1, VocabSize = vocabulary }, 1));
        string config = Path.Combine(folder, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("{", ids is null ? "{" : $"{{ {ids},", StringComparison.Ordinal));
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(config));
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), Tokenizers.TokenizerFileTests.Good);
    }
}
