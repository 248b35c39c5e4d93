using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Checkpoints.Gguf;

/// <summary>A tokenizer in a GGUF file gives the ids that its file asks for, and keeps them through a <c>tokenizer.json</c>, or is refused by name.</summary>
public class GgufTokenizerTests
{
    private const int Hi = 263;
    private const int End = 264;
    private const int Think = 265;

    private static readonly string[] merges = ["Ġ 1", "1 2", "3 4", "12 34", "1234 5", "Ġ1 2", "12 3", "h i"];

    private static IEnumerable<TestCaseData> EveryName() => GgufPreTokenizer.All.SelectMany(family => family.Names).Select(name => new TestCaseData(name));

    // The pieces of "a 12345 's": published tokenizers of these families split digits so.
    [TestCase(null, "a| 12345")]
    [TestCase("default", "a| 12345")]
    [TestCase("gpt-2", "a| 12345")]
    [TestCase("olmo", "a| 12345")]
    [TestCase("falcon", "a| |123|45")]
    [TestCase("llama-bpe", "a| |123|45")]
    [TestCase("dbrx", "a| |123|45")]
    [TestCase("granite-docling", "a| |123|45")]
    [TestCase("gpt-4o", "a| |123|45")]
    [TestCase("deepseek-v3", "a| |123|45")]
    [TestCase("qwen2", "a| |1|2|3|4|5")]
    [TestCase("tekken", "a| |1|2|3|4|5")]
    [TestCase("refact", "a| |1|2|3|4|5")]
    [TestCase("starcoder", "a| |1|2|3|4|5")]
    [TestCase("smollm", "a| |1|2|3|4|5")]
    public void Digits_are_split_as_the_pre_tokenizer_says(string? pre, string pieces)
    {
        Tokenizer tokenizer = Small(pre).ToTokenizer();
        Tokenizer words = Small("gpt-2").ToTokenizer();
        Assert.That(tokenizer.Encode("a 12345"), Is.EqualTo(pieces.Split('|').SelectMany(words.Encode)));
    }

    [TestCaseSource(nameof(EveryName))]
    public void Every_pre_tokenizer_keeps_its_ids_through_a_tokenizer_json(string name)
    {
        string path = Path.GetTempFileName();
        try
        {
            TokenizerParts parts = Small(name).ToParts();
            TokenizerFile.Write(path, parts);
            TokenizerParts read = TokenizerFile.Read(path, parts.EndTokenIds);
            GgufVocabulary again = read.ToGguf();
            GgufPreTokenizer wanted = GgufPreTokenizer.Of(name), found = GgufPreTokenizer.Of(again.Pre);
            Assert.That((found.PreTokenizer, found.Normalizes, found.TakesWholeWords), Is.EqualTo((wanted.PreTokenizer, wanted.Normalizes, wanted.TakesWholeWords)));
            (Tokenizer first, Tokenizer second, Tokenizer third) = (parts.ToTokenizer(), read.ToTokenizer(), again.ToTokenizer());
            foreach (string text in Texts())
            {
                int[] ids = first.Encode(text);
                Assert.That(second.Encode(text), Is.EqualTo(ids), text);
                Assert.That(third.Encode(text), Is.EqualTo(ids), text);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void An_unknown_pre_tokenizer_is_named() =>
        Assert.That(() => Small("no-such-pre").ToTokenizer(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("tokenizer.ggml.pre").And.Message.Contains("found no-such-pre"));

    [TestCase("gpt-2", null, null, new[] { Hi })]
    [TestCase("gpt-2", true, null, new[] { End, Hi })]
    [TestCase("gpt-2", null, true, new[] { Hi, End })]
    [TestCase("gpt-2", true, true, new[] { End, Hi, End })]
    [TestCase("gpt-2", false, false, new[] { Hi })]
    [TestCase("llama-bpe", null, null, new[] { End, Hi })]
    [TestCase("llama-bpe", false, null, new[] { Hi })]
    public void Tokens_around_a_text_are_added_where_the_file_says_so(string pre, bool? start, bool? end, int[] expected)
    {
        GgufVocabulary vocabulary = Small(pre) with { StartTokenId = End, AddsStart = start, AddsEnd = end };
        Tokenizer tokenizer = vocabulary.ToTokenizer();
        Assert.That(tokenizer.Encode("hi"), Is.EqualTo(expected));
        Assert.That(tokenizer.Encode("hi", addSpecialTokens: false), Is.EqualTo(new[] { Hi }));
        Assert.That(vocabulary.ToParts().ToGguf().ToTokenizer().Encode("hi"), Is.EqualTo(expected), "through a tokenizer.json and back");
    }

    [Test]
    public void A_token_to_add_that_the_file_does_not_name_is_an_error() =>
        Assert.That(
            () => (Small("gpt-2") with { AddsStart = true }).ToTokenizer(),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("add_bos_token").And.Message.Contains("bos_token_id"));

    [Test]
    public void Keys_and_types_that_are_not_known_are_named()
    {
        GgufVocabulary small = Small("gpt-2");
        foreach ((string key, GgufValue value) in ((string, GgufValue)[])
        [
            ("tokenizer.ggml.add_sep_token", GgufValue.From(true)),
            ("tokenizer.ggml.precompiled_charsmap", GgufValue.From((int[])[1, 2])),
            ("tokenizer.ggml.something_new", GgufValue.From(1u)),
        ])
        {
            GgufMetadata metadata = [];
            small.Write(metadata, small.Tokens.Count);
            metadata[key] = value;
            Assert.That(() => GgufVocabulary.Read(metadata), Throws.TypeOf<InvalidDataException>().With.Message.Contains(key));
        }

        Assert.That(() => (small with { Model = "bert" }).ToParts(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("found bert"));
        Assert.That(() => (small with { TokenTypes = [.. small.TokenTypes.Take(Hi), 9, .. small.TokenTypes.Skip(Hi + 1)] }).ToParts(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("found 9 for token 263"));
        Assert.That(() => (small with { AddsSpacePrefix = true }).ToParts(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("add_space_prefix"));
        Assert.That(() => (small with { Model = "llama" }).ToParts(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("tokenizer.ggml.scores"));
    }

    [Test]
    public void Tokens_found_as_a_whole_are_found_and_decoded()
    {
        Tokenizer tokenizer = Small("llama-bpe").ToTokenizer();
        Assert.That(tokenizer.Encode("hi<think>hi"), Is.EqualTo(new[] { Hi, Think, Hi }));
        Assert.That(tokenizer.Decode([Hi, Think, End]), Is.EqualTo("hi<think><|endoftext|>"));
    }

    // 256 bytes, the merges in order, the end token, a user-defined one and an unused id.
    private static GgufVocabulary Small(string? pre)
    {
        string[] tokens =
        [
            .. Enumerable.Range(0, 256).Select(value => ByteAlphabet.CharacterOf((byte)value).ToString()),
            .. merges.Select(merge => merge.Replace(" ", "", StringComparison.Ordinal)),
            "<|endoftext|>",
            "<think>",
            "[PAD266]",
        ];
        int[] types = [.. Enumerable.Repeat(1, Hi + 1), 3, 4, 5];
        return new("gpt2", pre, tokens, types, merges) { EndTokenId = End };
    }

    private static IEnumerable<string> Texts()
    {
        string[] parts = ["hi", " ", "12345", "a", "'s", "'LL", "\n", "\r\n", "é", "e\u0301", "日本", "の", "🙂", "<think>", "<|endoftext|>", "...", "!A", "\t", "\u00a0", "ΩSS", "ſ", "٣٤٥", "²³", "_x", "Ab"];
        Random random = new(3);
        for (int i = 0; i < 300; i++)
        {
            yield return string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => parts[random.Next(parts.Length)]));
        }
    }
}
