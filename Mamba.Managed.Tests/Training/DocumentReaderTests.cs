using System.Text;
using Mamba.Managed.Models;
using Mamba.Managed.Tests.Tokenizers;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>Files of documents as people write them.</summary>
public class DocumentReaderTests
{
    private const int End = 5;
    private static readonly byte[] mark = [0xEF, 0xBB, 0xBF];
    private static readonly ByteTokenizer bytes = new();

    private string root = "";

    // Tokens a, b, c, ab, abc and the end token 5.
    private static Tokenizer WithEnd => TokenizerFile.Parse(Encoding.UTF8.GetBytes(TokenizerFileTests.Good), null).ToTokenizer();

    [SetUp]
    public void Prepare() => root = Directory.CreateTempSubdirectory("mamba-documents-").FullName;

    [TearDown]
    public void Remove() => Directory.Delete(root, recursive: true);

    [TestCase("a.jsonl", "{\"text\":\"ab\"}\n\"c\"\n")]
    [TestCase("a.jsonl", "{\"text\":\"ab\"}\r\n\r\n\"c\"")]
    [TestCase("a.json", "{\"text\":\"ab\"}\n\"c\"")]
    [TestCase("a.json", "[{\"text\":\"ab\"},\"c\"]")]
    [TestCase("a.jsonl", "\n [\n{\"text\":\"ab\"},\n {\"tokens\":[99]}]\n")]
    [TestCase("A.JSON", "[{\"tokens\":[97,98]},\r\n\"c\"\r\n]")]
    public void A_document_may_stand_on_a_line_or_in_an_array(string name, string text)
    {
        foreach (bool marked in new[] { false, true })
        {
            DocumentReport report = DocumentReader.Read(Write(name, [.. marked ? mark : [], .. Encoding.UTF8.GetBytes(text)]), bytes);
            Assert.That((report.Documents.Count, report.BadLines), Is.EqualTo((2, 0)));
            Assert.That(Tokens(report.Documents), Is.EqualTo(new[] { 'a', 'b', 'c' }));
        }
    }

    [Test]
    public void One_object_over_several_lines_is_a_document() =>
        Assert.That(Tokens(DocumentReader.Read(Write("a.json", "{\n  \"text\":\n \"ab\"\n}"u8), bytes).Documents), Is.EqualTo(new[] { 'a', 'b' }));

    [Test]
    public void Bad_documents_of_an_array_are_counted_by_their_place()
    {
        DocumentReport report = DocumentReader.Read(Write("a.json", "[\"a\",{\"other\":1},{\"text\":null},7,{\"tokens\":[300]},{\"tokens\":[-1]},\"\\ud83d\"]"u8), bytes);
        Assert.That((report.Documents.Count, report.BadLines), Is.EqualTo((1, 6)));
        Assert.That(report.FirstBad.Select(line => line.Split(':')[0]), Is.EqualTo(new[] { "document 2", "document 3", "document 4", "document 5", "document 6" }));
    }

    [Test]
    public void An_array_that_is_cut_off_is_an_error_that_says_where() => Assert.That(
        () => DocumentReader.Read(Write("a.json", "[\"a\",\n\"b\""u8), bytes), Throws.TypeOf<InvalidDataException>().With.Message.Contains("line 2").And.Message.Contains("a.json"));

    [TestCase("{\"messages\":[]}", "\"messages\": chat data")]
    [TestCase("{\"prompt\":1,\"completion\":2}", "\"prompt\", \"completion\"")]
    [TestCase("[1,2]", "found [1,2]")]
    [TestCase("{\"text\":7}", "text: expected a string, found 7")]
    [TestCase("{\"tokens\":[1.5]}", "tokens: expected whole numbers below 2^31, found 1.5")]
    [TestCase("{\"tokens\":[300]}", "expected token ids from 0 to 255, found 300")]
    [TestCase("{\"tokens\":[-3]}", "expected token ids from 0 to 255, found -3")]
    [TestCase("{\"text\":", "expected JSON")]
    public void Where_all_lines_are_bad_the_error_says_what_is_wrong_with_them(string line, string reason)
    {
        string path = Write("a.jsonl", Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(line + "\n", 8))));
        Assert.That(() => DocumentReader.Read(path, bytes), Throws.TypeOf<InvalidDataException>()
            .With.Message.Contains("8 bad lines: line 1: ").And.Message.Contains(reason).And.Message.Contains(path).And.Message.Not.Contains("line 2"));
    }

    [Test]
    public void Ids_of_a_token_file_are_checked_with_document_and_place([Values(300, -1, int.MinValue)] int id)
    {
        string path = Path.Combine(root, "a.tokens");
        int[] last = [.. Enumerable.Repeat(1, 5_000_000), id, 2];
        TokenDocuments.Of([[1, 2], [3], last, [4]]).Save(path);
        Assert.That(
            () => DocumentReader.Read(path, bytes), Throws.TypeOf<InvalidDataException>().With.Message.EqualTo(
                Throw.Invariant($"{path}: expected token ids from 0 to 255, found {id} in document 3 of 4, at token 5000001 of it")));
        File.Delete(path);
    }

    [Test]
    public void The_vocabulary_is_that_of_the_model_where_it_is_given()
    {
        string path = Write("a.jsonl", "{\"tokens\":[300]}\n{\"tokens\":[400]}"u8);
        DocumentReport report = DocumentReader.Read(path, bytes, new() { VocabularySize = 320 });
        Assert.That((report.Documents.TokenCount, report.BadLines), Is.EqualTo((1, 1)));
    }

    [Test]
    public void A_trainer_takes_no_id_beyond_its_vocabulary() => Assert.That(
        () => new Trainer(MambaLanguageModel.Create(new() { DModel = 8, NLayer = 1, VocabSize = 16 }, 1), TokenDocuments.Of([[1, 2, 3, 16]]), new() { Batch = new() { Windows = 1, Length = 2 } }),
        Throws.ArgumentException.With.Message.Contains("found 16 in document 1 of 1, at token 4"));

    [Test]
    public void A_text_ends_with_the_end_token_once_and_ids_stay_as_they_are()
    {
        string path = Write("a.jsonl", "\"ab\"\n{\"text\":\"c<|endoftext|>\"}\n\"\"\n{\"tokens\":[0]}"u8), text = Write("a.txt", "abc"u8);
        Assert.That(Tokens(DocumentReader.Read(path, WithEnd).Documents), Is.EqualTo(new[] { 3, End, 2, End, 0 }));
        Assert.That(Tokens(DocumentReader.Read(path, WithEnd, new() { EndDocuments = false }).Documents), Is.EqualTo(new[] { 3, 2, End, 0 }));
        Assert.That(Tokens(DocumentReader.Read(text, WithEnd).Documents), Is.EqualTo(new[] { 4, End }));
        Assert.That(Tokens(DocumentReader.Read(text, bytes).Documents), Is.EqualTo(new[] { 'a', 'b', 'c' }));
    }

    [TestCase("a.txt")]
    [TestCase("a.jsonl")]
    [TestCase("a.json")]
    public void Text_in_UTF16_is_named_as_such(string name)
    {
        foreach (Encoding encoding in new[] { Encoding.Unicode, Encoding.BigEndianUnicode, Encoding.UTF32 })
        {
            foreach (bool marked in new[] { true, false })
            {
                string path = Write(name, [.. marked ? encoding.GetPreamble() : [], .. encoding.GetBytes("\"ab\"\n\"cd\"")]);
                Assert.That(() => DocumentReader.Read(path, bytes), Throws.TypeOf<InvalidDataException>().With.Message.Contains(name).And.Message.Contains("UTF-16"));
            }
        }
    }

    [Test]
    public void A_mark_is_no_text_and_other_bytes_are_told_with_their_line()
    {
        Assert.That(Tokens(DocumentReader.Read(Write("a.txt", [.. mark, .. "ab"u8]), bytes).Documents), Is.EqualTo(new[] { 'a', 'b' }));
        Assert.That(
            () => DocumentReader.Read(Write("b.txt", [.. mark, .. "ab\nc"u8, 0xE9, .. "\n"u8]), bytes),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("at 7, in line 2"));
        DocumentReport report = DocumentReader.Read(Write("c.jsonl", [.. "\"a\"\n\""u8, 0xE9, .. "\"\n"u8]), bytes);
        Assert.That(report.FirstBad, Is.EqualTo(new[] { "line 2: expected text in UTF-8, found other bytes" }));
    }

    [Test]
    public void Reading_can_be_canceled()
    {
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.That(() => DocumentReader.Read(Write("a.jsonl", "\"a\""u8), bytes, null, source.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    private string Write(string name, ReadOnlySpan<byte> text)
    {
        string path = Path.Combine(root, name);
        File.WriteAllBytes(path, text);
        return path;
    }

    private static int[] Tokens(TokenDocuments documents)
    {
        int[] tokens = new int[documents.TokenCount];
        documents.CopyTo(0, tokens);
        return tokens;
    }
}
