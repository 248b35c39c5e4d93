using System.Text;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Tokenizers;

/// <summary>A tokenizer.json from a stranger gives a tokenizer or one clear line.</summary>
public class TokenizerFileTests
{
    internal const string Good = """
        {"version":"1.0","added_tokens":[{"id":5,"special":true,"content":"<|endoftext|>","normalized":false},{"id":6,"content":"  ","normalized":true}],
        "normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
        "post_processor":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},
        "model":{"type":"BPE","dropout":null,"unk_token":null,"vocab":{"a":0,"b":1,"c":2,"ab":3,"abc":4},"merges":["a b",["ab","c"]]}}
        """;

    [Test]
    public void A_small_file_reads()
    {
        BpeTokenizer tokenizer = Parse(Good);
        Assert.That(tokenizer.Encode("abc  ab<|endoftext|>"), Is.EqualTo(new[] { 4, 6, 3, 5 }));
        Assert.That(tokenizer.EndTokenId, Is.EqualTo(5));
        Assert.That(TokenizerFile.Parse(Encoding.UTF8.GetBytes(Good), [4]).ToTokenizer().EndTokenId, Is.EqualTo(4));
    }

    [TestCase("", "", "JSON")]
    [TestCase("\"model\":{", "\"model\":{{", "JSON")]
    [TestCase("\"model\":", "\"mode\":", "model: expected it")]
    [TestCase("\"BPE\"", "\"Unigram\"", "expected BPE, found Unigram")]
    [TestCase("\"vocab\":", "\"words\":", "vocab: expected it")]
    [TestCase("\"vocab\":{\"a\":0", "\"vocab\":{\"a\":\"0\"", "whole numbers")]
    [TestCase("\"vocab\":{\"a\":0", "\"vocab\":{\"a\":0.5", "found 0.5")]
    [TestCase("\"vocab\":{\"a\":0", "\"vocab\":{\"a\":-1", "found -1")]
    [TestCase("\"vocab\":{\"a\":0", "\"vocab\":{\"a\":2147483647", "found 2147483647")]
    [TestCase("\"vocab\":{\"a\":0", "\"vocab\":{\"a\":99999999999", "whole numbers")]
    [TestCase("\"vocab\":{\"a\":0", "\"vocab\":{\"a\":1", "found 1 twice")]
    [TestCase("\"vocab\":{\"a\":0", "\"vocab\":{\"a\":7,\"a\":0", "'a' twice")]
    [TestCase("\"vocab\":{\"a\":0", "\"vocab\":{\"\":7,\"a\":0", "empty one")]
    [TestCase("\"a b\"", "\"a x\"", "tokens in the vocabulary, found 'a x'")]
    [TestCase("\"a b\"", "\"b a\"", "make a token of the vocabulary")]
    [TestCase("\"a b\"", "\"ab\"", "two tokens with a space between")]
    [TestCase("\"a b\"", "\"a \"", "tokens in the vocabulary")]
    [TestCase("\"a b\"", "\"a b\",\"a b\"", "each merge once, found 'a b'")]
    [TestCase("\"a b\"", "[\"a\",\"b\",\"c\"]", "pairs")]
    [TestCase("\"a b\"", "7", "pairs")]
    [TestCase("\"a b\"", "\"a b c\"", "none within, found 'a b c'")]
    [TestCase("\"id\":5", "\"id\":3", "id of its own")]
    [TestCase("\"id\":5", "\"id\":-3", "found -3")]
    [TestCase("\"content\":\"  \"", "\"content\":\"\"", "empty one")]
    [TestCase("\"content\":\"  \"", "\"content\":\"\\ud800\"", "JSON")]
    [TestCase("\"content\":\"  \"", "\"lstrip\":1,\"content\":\"  \"", "lstrip")]
    [TestCase("\"NFC\"", "\"Nmt\"", "found Nmt")]
    [TestCase("\"version\":\"1.0\"", "\"version\":\"2.0\"", "version: expected 1.0, found 2.0")]
    [TestCase("\"version\":", "\"truncation\":{\"max_length\":8},\"version\":", "truncation: expected none")]
    [TestCase("\"version\":", "\"padding\":{\"strategy\":{\"Fixed\":8}},\"version\":", "padding: expected none")]
    [TestCase("\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":{\"type\":\"\\ud800\"}", "JSON")]
    [TestCase("\"dropout\":null", "\"dropout\":null,\"mystery\":1", "mystery")]
    [TestCase("\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":{\"type\":\"WordPiece\"}", "found WordPiece")]
    [TestCase("\"post_processor\":{\"type\":\"ByteLevel\"", "\"post_processor\":{\"type\":\"Other\"", "found Other")]
    [TestCase("\"post_processor\":{\"type\":\"ByteLevel\"", "\"post_processor\":{\"type\":\"RobertaProcessing\",\"cls\":[\"x\",77],\"sep\":[\"y\",5]", "found 77")]
    [TestCase("\"pre_tokenizer\":", "\"before\":", "pre_tokenizer")]
    [TestCase("\"dropout\":null", "\"dropout\":0.1", "dropout")]
    [TestCase("\"unk_token\":null", "\"unk_token\":\"?\"", "unk_token")]
    public void What_is_wrong_is_said_in_one_line(string part, string instead, string expected)
    {
        string json = part.Length == 0 ? instead : Good.ReplaceLineEndings("\n").Replace(part, instead, StringComparison.Ordinal);
        Assert.That(() => Parse(json), Throws.TypeOf<InvalidDataException>().With.Message.Contains(expected).And.Message.Not.Contains('\n'));
    }

    [TestCase("\"version\":\"1.0\",", "")]
    [TestCase("\"version\":\"1.0\"", "\"version\":null,\"truncation\":null,\"padding\":{\"strategy\":\"BatchLongest\",\"pad_to_multiple_of\":null,\"pad_id\":0}")]
    [TestCase("\"type\":\"BPE\",\"dropout\":null", "\"dropout\":0.0,\"fuse_unk\":null,\"byte_fallback\":null,\"ignore_merges\":null")]
    [TestCase("\"type\":\"BPE\"", "\"type\":\"BPE\",\"continuing_subword_prefix\":\"\",\"end_of_word_suffix\":null")]
    [TestCase("\"post_processor\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},", "\"post_processor\":null,")]
    [TestCase("\"post_processor\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}", "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{}}")]
    [TestCase("{\"version\"", "\uFEFF{\"version\"")]
    public void What_says_the_same_reads_the_same(string part, string instead)
    {
        Assert.That(Good.Contains(part, StringComparison.Ordinal), part);
        Assert.That(Parse(Good.Replace(part, instead, StringComparison.Ordinal)).Encode("abc  ab<|endoftext|>"), Is.EqualTo(new[] { 4, 6, 3, 5 }));
    }

    [Test]
    public void Special_tokens_go_around_a_whole_text_alone()
    {
        const string Template = """
            "post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing",
            "single":[{"SpecialToken":{"id":"<|endoftext|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"  ","type_id":0}}],
            "special_tokens":{"<|endoftext|>":{"id":"<|endoftext|>","ids":[5],"tokens":["<|endoftext|>"]},"  ":{"id":"  ","ids":[6],"tokens":["  "]}}}]}
            """;
        BpeTokenizer tokenizer = Parse(Good.Replace("\"post_processor\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}", Template, StringComparison.Ordinal));
        Assert.That(tokenizer.Encode("abc"), Is.EqualTo(new[] { 5, 4, 6 }));
        Assert.That(tokenizer.Encode(""), Is.EqualTo(new[] { 5, 6 }));
        Assert.That(tokenizer.Encode("abc", addSpecialTokens: false), Is.EqualTo(new[] { 4 }));
    }

    [Test]
    public void Tokens_around_a_text_are_limited()
    {
        string pieces = string.Concat(Enumerable.Repeat("{\"SpecialToken\":{\"id\":\"x\",\"type_id\":0}},", 300)), ids = string.Join(',', Enumerable.Repeat(5, 300));
        string template = "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" + pieces + "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],"
            + "\"special_tokens\":{\"x\":{\"id\":\"x\",\"ids\":[" + ids + "],\"tokens\":[\"x\"]}}}";
        string json = Good.Replace("\"post_processor\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}", template, StringComparison.Ordinal);
        Assert.That(() => Parse(json), Throws.TypeOf<InvalidDataException>().With.Message.Contains("at most 65536 tokens around a text"));
    }

    [Test]
    public void A_text_that_replacements_make_too_long_is_refused()
    {
        const string Double = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aa\"}";
        BpeTokenizer doubling = Normalizing($"{{\"type\":\"Sequence\",\"normalizers\":[{string.Join(',', Enumerable.Repeat(Double, 30))}]}}");
        Assert.That(() => doubling.Encode("aaaa"), Throws.TypeOf<InvalidDataException>().With.Message.Contains("normalizer: expected at most 1048832 characters"));
        Assert.That(doubling.Encode("bc"), Is.EqualTo(new[] { 1, 2 }));

        // Added tokens cut a text into many, each of which gets what is put before a text.
        BpeTokenizer prepending = Normalizing($"{{\"type\":\"Prepend\",\"prepend\":\"{new string('a', 100_000)}\"}}");
        Assert.That(prepending.Encode("b"), Has.Length.EqualTo(99_999 + 1));
        Assert.That(
            () => prepending.Encode(string.Concat(Enumerable.Repeat("<|endoftext|>b", 20))),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("too long"));

        static BpeTokenizer Normalizing(string normalizer) => Parse(Good.Replace("{\"type\":\"NFC\"}", normalizer, StringComparison.Ordinal));
    }

    [Test]
    public void A_decoder_whose_replacements_make_tokens_too_long_is_refused()
    {
        const string Double = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aa\"}";
        string decoder = $"\"decoder\":{{\"type\":\"Sequence\",\"decoders\":[{string.Join(',', Enumerable.Repeat(Double, 40))},{{\"type\":\"ByteLevel\"}}]}}";
        string json = Good.Replace("\"decoder\":{\"type\":\"ByteLevel\"}", decoder, StringComparison.Ordinal);
        Assert.That(() => Parse(json), Throws.TypeOf<InvalidDataException>().With.Message.Contains("too long"));
    }

    [Test]
    public void A_missing_file_is_named()
    {
        Assert.That(() => BpeTokenizer.Load("nowhere.json"), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("nowhere.json"));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "making a symbolic link takes a privilege there")]
    public void A_file_that_is_too_long_is_refused_behind_a_link_too()
    {
        string folder = Directory.CreateTempSubdirectory("mamba-tokenizer-").FullName, file = Path.Combine(folder, "long"), link = Path.Combine(folder, "tokenizer.json");
        using (FileStream stream = File.Create(file))
        {
            stream.SetLength((256L << 20) + 1);
        }

        File.CreateSymbolicLink(link, file);
        Assert.That(() => BpeTokenizer.Load(link), Throws.TypeOf<InvalidDataException>().With.Message.Contains("268435456").And.Message.Contains(link));
        Directory.Delete(folder, recursive: true);
    }

    private static BpeTokenizer Parse(string json) => TokenizerFile.Parse(Encoding.UTF8.GetBytes(json), null).ToTokenizer();
}
