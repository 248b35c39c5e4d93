using System.Text.Json;
using Mamba.Managed.Tokenizers.Splitting;

namespace Mamba.Managed.Tests.Tokenizers.Splitting;

/// <summary>What tokenizer.json says of pre-tokenizers and normalizers is done or refused by name.</summary>
public class SplittingJsonTests
{
    [TestCase("""{"type":"UnicodeScripts"}""", "UnicodeScripts")]
    [TestCase("""{"type":"Split","pattern":{"Regex":"a"},"behavior":"Isolate"}""", "Isolate")]
    [TestCase("""{"type":"Split","pattern":{"Regex":"\\X"},"behavior":"Isolated"}""", "pre_tokenizer.pattern")]
    [TestCase("""{"type":"Split","pattern":{"Glob":"a"},"behavior":"Isolated"}""", "Glob")]
    [TestCase("""{"type":"Split","behavior":"Isolated"}""", "pre_tokenizer.pattern")]
    [TestCase("""{"type":"Digits","individual_digits":1}""", "individual_digits")]
    [TestCase("""{"type":"Whitespace","fast":true}""", "fast")]
    [TestCase("""{"type":"Metaspace","replacement":"ab"}""", "replacement")]
    [TestCase("""{"type":"Metaspace","replacement":"a","prepend_scheme":"last"}""", "last")]
    [TestCase("""{"type":"Metaspace","replacement":"a","prepend_scheme":"first","add_prefix_space":false}""", "add_prefix_space")]
    [TestCase("""{"type":"CharDelimiterSplit","delimiter":""}""", "delimiter")]
    [TestCase("""{"type":"Sequence","pretokenizers":[{"type":"Bert"}]}""", "Bert")]
    [TestCase("""{}""", "pre_tokenizer.type")]
    public void Pre_tokenizers_that_are_not_known_are_refused(string json, string named) =>
        Assert.That(() => PreTokenizerJson.Read(Json(json)), Throws.TypeOf<InvalidDataException>().With.Message.Contains(named));

    [TestCase("""{"type":"Precompiled","precompiled_charsmap":"AA=="}""", "Precompiled")]
    [TestCase("""{"type":"Nmt"}""", "Nmt")]
    [TestCase("""{"type":"NFC","version":9}""", "version")]
    [TestCase("""{"type":"Replace","pattern":{"Regex":"("},"content":""}""", "normalizer.pattern")]
    [TestCase("""{"type":"Replace","pattern":{"String":"a"}}""", "content")]
    [TestCase("""{"type":"Sequence","normalizers":[{"type":"Strip","strip_left":"yes"}]}""", "strip_left")]
    public void Normalizers_that_are_not_known_are_refused(string json, string named) =>
        Assert.That(() => NormalizerJson.Read(Json(json)), Throws.TypeOf<InvalidDataException>().With.Message.Contains(named));

    [Test]
    public void Nothing_is_nothing()
    {
        Assert.That(PreTokenizerJson.Read(null), Is.Null);
        Assert.That(PreTokenizerJson.Read(Json("null")), Is.Null);
        Assert.That(NormalizerJson.Read(null), Is.Null);
        Assert.That(NormalizerJson.Read(Json("null")), Is.Null);
    }

    [Test]
    public void The_mark_of_the_first_piece_is_put_at_the_start_of_the_text_alone()
    {
        IPreTokenizer first = PreTokenizerJson.Read(Json("""{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"_","prepend_scheme":"first"}]}"""))!;
        Assert.That(Cut(first, "a b", true), Is.EqualTo("_a|b"));
        Assert.That(Cut(first, "a b", false), Is.EqualTo("a|b"));
        Assert.That(Cut(first, " a b", true), Is.EqualTo("a|b"), "the beginning of the text has been removed");
    }

    [TestCase(true, "_a|_b")]
    [TestCase(false, "a|_b")]
    public void Older_files_say_only_whether_a_mark_is_put_before(bool adds, string expected) =>
        Assert.That(Cut(PreTokenizerJson.Read(Json($$"""{"type":"Metaspace","replacement":"_","add_prefix_space":{{(adds ? "true" : "false")}}}"""))!, "a b", true), Is.EqualTo(expected));

    private static JsonElement Json(string json) => JsonDocument.Parse(json).RootElement;

    private static string Cut(IPreTokenizer splitter, string text, bool isStart) => string.Join('|', splitter.Cut([text.AsMemory()], isStart));
}
