using System.Text.Json;
using Mamba.Managed.Tokenizers.Splitting;

namespace Mamba.Managed.Tests.Tokenizers.Splitting;

/// <summary>Pieces and normalized texts are those of Hugging Face's library; eng/splitting-golden.js and eng/tokenizer-unicode-data.js write the files.</summary>
public class SplittingGoldenTests
{
    private static readonly JsonElement Golden = Read("splitting");

    private static IEnumerable<TestCaseData> PreTokenizers => Kinds("pre_tokenizers");

    private static IEnumerable<TestCaseData> Normalizers => Kinds("normalizers");

    [TestCaseSource(nameof(PreTokenizers))]
    public void Pieces_are_those_of_the_library(JsonElement kind)
    {
        IPreTokenizer splitter = PreTokenizerJson.Read(kind.GetProperty("json"))!;
        foreach ((string text, string expected) in Texts(kind.GetProperty("pieces")))
        {
            // The file separates pieces by U+0001, which no text contains.
            Assert.That(splitter.Cut([text.AsMemory()], isStart: true).Select(piece => piece.ToString()), Is.EqualTo(expected.Split('\u0001', StringSplitOptions.RemoveEmptyEntries)), text);
        }
    }

    [TestCaseSource(nameof(Normalizers))]
    public void Normalized_texts_are_those_of_the_library(JsonElement kind)
    {
        INormalizer normalizer = NormalizerJson.Read(kind.GetProperty("json"))!;
        foreach ((string text, string expected) in Texts(kind.GetProperty("texts")))
        {
            Assert.That(normalizer.Normalize(text, int.MaxValue), Is.EqualTo(expected), text);
        }
    }

    [TestCase("nfc")]
    [TestCase("nfd")]
    [TestCase("nfkc")]
    [TestCase("nfkd")]
    public void Forms_of_random_marks_are_those_of_the_library(string name)
    {
        UnicodeForm form = name switch { "nfc" => UnicodeForm.C, "nfd" => UnicodeForm.D, "nfkc" => UnicodeForm.KC, _ => UnicodeForm.KD };
        foreach (JsonElement entry in Read("nfc").EnumerateArray())
        {
            Assert.That(form.Normalize(entry.GetProperty("text").GetString()!, int.MaxValue), Is.EqualTo(entry.GetProperty(name).GetString()));
        }
    }

    private static JsonElement Read(string folder)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", folder, "golden.json")));
        return document.RootElement.Clone();
    }

    private static IEnumerable<TestCaseData> Kinds(string name) => Golden.GetProperty(name).EnumerateArray()
        .Select((kind, index) => new TestCaseData(kind).SetArgDisplayNames($"{index}: {kind.GetProperty("json").GetProperty("type").GetString()}"));

    private static IEnumerable<(string Text, string Expected)> Texts(JsonElement expected) =>
        Golden.GetProperty("texts").EnumerateArray().Zip(expected.EnumerateArray(), (text, value) => (text.GetString()!, value.GetString()!));
}
