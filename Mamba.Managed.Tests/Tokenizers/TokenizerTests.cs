using System.Text;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Tokenizers;

/// <summary>Bytes, small vocabularies, words and streams.</summary>
public class TokenizerTests
{
    [Test]
    public void Bytes_are_their_own_ids()
    {
        ByteTokenizer tokenizer = new();
        Assert.That(tokenizer.Encode("né"), Is.EqualTo(new[] { 'n', 0xC3, 0xA9 }));
        Assert.That(tokenizer.Decode([0xC3, 0xA9, 'n', 0xFF]), Is.EqualTo("én\uFFFD"));
        Assert.That(tokenizer.DecodeBytes([1, 255]), Is.EqualTo(new byte[] { 1, 255 }));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(256));
        Assert.That(tokenizer.EndTokenId, Is.Null);
        Assert.That(() => tokenizer.Decode([256]), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("0 to 255"));
        Assert.That(() => tokenizer.Decode([-1]), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void A_stream_of_bytes_never_breaks_a_character([Range(0, 19)] int seed)
    {
        ByteTokenizer tokenizer = new();
        Random random = new(seed);
        byte[] bytes = new byte[random.Next(1, 400)];
        random.NextBytes(bytes);
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 100).Select(_ => new Rune(random.Next(0x20, 0xD800)))) + "😀🇫🇷");
        int[] tokens = [.. (seed % 2 == 0 ? bytes : text).Select(value => (int)value)];
        StreamingDecoder decoder = new(tokenizer);
        StringBuilder streamed = new();
        foreach (int token in tokens)
        {
            ReadOnlySpan<char> piece = decoder.Append(token);
            Assert.That(piece.Length == 0 || !char.IsHighSurrogate(piece[^1]), "no piece ends within a character");
            streamed.Append(piece);
        }

        streamed.Append(decoder.Flush());
        Assert.That(streamed.ToString(), Is.EqualTo(tokenizer.Decode(tokens)));
    }

    [Test]
    public void A_lone_surrogate_counts_as_the_replacement_character()
    {
        Assert.That(new ByteTokenizer().Encode("a\uD800b"), Is.EqualTo(new ByteTokenizer().Encode("a\uFFFDb")));
        Assert.That(Small().Encode("a\uD800b"), Is.EqualTo(Small().Encode("a\uFFFDb")));
    }

    [Test]
    public void Merges_apply_in_their_order_and_the_longest_added_token_wins()
    {
        BpeTokenizer tokenizer = Small();
        Assert.That(tokenizer.Encode("abc"), Is.EqualTo(new[] { 4, 2 }));
        Assert.That(tokenizer.Encode("a bc"), Is.EqualTo(new[] { 0, 3, 5 }));
        Assert.That(tokenizer.Encode("<e>a<e><e>>"), Is.EqualTo(new[] { 6, 0, 6, 7 }));
        Assert.That(tokenizer.Decode([4, 3, 2, 6]), Is.EqualTo("ab c<e>"));
        Assert.That(tokenizer.EndTokenId, Is.EqualTo(6));
    }

    [Test]
    public void Characters_outside_the_vocabulary_are_left_out_before_anything_merges()
    {
        Assert.That(Small().Encode("axb c"), Is.EqualTo(new[] { 4, 3, 2 }));
    }

    [Test]
    public void Ids_may_leave_gaps_that_stand_for_no_text()
    {
        BpeTokenizer tokenizer = new([new("a", 0), new("b", 9)], [], []);
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(10));
        Assert.That(tokenizer.Decode([9, 4, 0]), Is.EqualTo("ba"));
    }

    [Test]
    public void A_folder_without_a_tokenizer_is_bytes_only_with_256_entries()
    {
        string folder = TestContext.CurrentContext.TestDirectory;
        MambaConfig config = new() { DModel = 8, NLayer = 1, VocabSize = 256 };
        Assert.That(ModelTokenizer.Load(folder, config), Is.TypeOf<ByteTokenizer>());
        Assert.That(
            () => ModelTokenizer.Load(folder, config with { VocabSize = 300 }),
            Throws.TypeOf<FileNotFoundException>().With.Message.Contains("tokenizer.json").And.Message.Contains("300"));
        Assert.That(() => ModelTokenizer.Load(Path.Combine(folder, "nowhere"), config), Throws.TypeOf<DirectoryNotFoundException>());
        Assert.That(
            () => ModelTokenizer.Load(Path.Combine(folder, "Fixtures", "gpt-neox-tokenizer"), config),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("256").And.Message.Contains("50276"));
    }

    [Test]
    public void What_lacks_a_configuration_is_no_model_with_a_tokenizer()
    {
        string folder = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "gpt-neox-tokenizer");
        Assert.That(() => ModelSource.Open(folder), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("config.json"));
        Assert.That(
            () => ModelSource.Open(Path.Combine(folder, "nowhere")),
            Throws.TypeOf<FileNotFoundException>().With.Message.Contains("expected a model folder or a GGUF file, found neither"));
        Assert.That(
            () => ModelSource.Open(Path.Combine(folder, "..", "gguf", "gpt-neox-vocab.gguf")),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("gpt-neox-vocab.gguf").And.Message.Contains("found gptneox"));
    }

    [Test]
    public void Added_tokens_stand_for_their_own_text_and_single_letters_of_the_vocabulary_for_bytes()
    {
        // The third is in the vocabulary too, where no merge makes it; the last is, and a merge makes it.
        BpeTokenizer tokenizer = new(
            [new("a", 0), new("\u00E9", 1), new("\u00F1and\u00FA", 2), new("\u0120", 3), new("\u0120a", 4)],
            [("\u0120", "a")],
            [new(5, "gr\u00F6\u00DFe", false, true), new(1, "\u00E9", false, true), new(2, "\u00F1and\u00FA", false, true), new(4, "\u0120a", false, true), new(6, "\u4F60 \u597D", false, true)]);
        Assert.That(tokenizer.Decode([5, 0, 2, 4, 6]), Is.EqualTo("gr\u00F6\u00DFea\u00F1and\u00FA a\u4F60 \u597D"));
        Assert.That(tokenizer.BytesOf(1).ToArray(), Is.EqualTo(new byte[] { 0xE9 }));
        Assert.That(tokenizer.Encode("gr\u00F6\u00DFea \u4F60 \u597D"), Is.EqualTo(new[] { 5, 0, 3, 6 }));
    }

    [Test]
    public void The_space_that_begins_a_text_is_left_out_there_alone()
    {
        BpeTokenizer tokenizer = BpeTokenizer.Load(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "tokenizers", "sentencepiece-bpe", "tokenizer.json"));
        int[] ids = tokenizer.Encode("Hello \u00DF");
        Assert.That(tokenizer.Decode(ids), Is.EqualTo("Hello \u00DF"));
        Assert.That(TokenizerVariantTests.Streamed(tokenizer, ids), Is.EqualTo("Hello \u00DF"));
        Assert.That(TokenizerVariantTests.Streamed(tokenizer, ids, isStart: false), Is.EqualTo(" Hello \u00DF"));
    }

    [Test]
    public void Bytes_that_are_no_character_are_each_one_replacement_character()
    {
        // Tokens 3 to 258 are the bytes. Two of three bytes of a character, then a whole one.
        BpeTokenizer tokenizer = BpeTokenizer.Load(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "tokenizers", "sentencepiece-bpe", "tokenizer.json"));
        int[] ids = [.. new byte[] { 0xE4, 0xB8, 0xE4, 0xBD, 0xA0, 0xFF, 0xF0, 0x9F }.Select(value => 3 + value)];
        Assert.That(tokenizer.Decode(ids), Is.EqualTo("\uFFFD\uFFFD\u4F60\uFFFD\uFFFD\uFFFD"));
        Assert.That(TokenizerVariantTests.Streamed(tokenizer, ids), Is.EqualTo(tokenizer.Decode(ids)));
    }

    // a b c, space, and the pairs ab before bc.
    internal static BpeTokenizer Small() => new(
        [new("a", 0), new("b", 1), new("c", 2), new("\u0120", 3), new("ab", 4), new("bc", 5)],
        [("a", "b"), ("b", "c")],
        [new(6, "<e>", true, false), new(7, "<e>>", true, false)],
        endTokenIds: [6]);
}
