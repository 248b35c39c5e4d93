using System.Text;
using System.Text.Json;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Tokenizers;

/// <summary>Models that SentencePiece 0.1.97 trained on the text of Shakespeare, with the ids and texts that it gives.</summary>
/// <remarks>
/// <c>llama</c> has byte tokens, a space before each text and two user-defined pieces; <c>plain</c> has an unknown token, no space before a text, and
/// joins spaces.
/// </remarks>
public class SentencePieceTests
{
    private static readonly string folder = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "sentencepiece");

    [TestCase("llama")]
    [TestCase("plain")]
    public void Ids_and_texts_are_those_of_SentencePiece(string name)
    {
        Tokenizer tokenizer = Parts(name).ToTokenizer();
        foreach ((string text, int[] ids, string decoded) in Golden(name))
        {
            Assert.That(tokenizer.Encode(text), Is.EqualTo(ids), text);

            // For an unknown token SentencePiece writes two question marks, Hugging Face's library and this one its name.
            Assert.That(tokenizer.Decode(ids), ids.Contains(0) ? Does.Contain("<unk>") : Is.EqualTo(decoded), text);
        }
    }

    [TestCase("llama")]
    [TestCase("plain")]
    public void A_GGUF_file_of_the_same_pieces_gives_the_same_ids_and_back(string name)
    {
        TokenizerParts parts = Parts(name);
        GgufMetadata metadata = [];
        GgufVocabulary vocabulary = Vocabulary(name);
        vocabulary.Write(metadata, vocabulary.Tokens.Count);
        TokenizerParts read = GgufVocabulary.Read(metadata)!.ToParts();
        Tokenizer direct = parts.ToTokenizer(), fromFile = read.ToTokenizer();
        foreach ((string text, int[] ids, _) in Golden(name))
        {
            Assert.That(fromFile.Encode(text), Is.EqualTo(direct.Encode(text)).And.EqualTo(ids), text);
        }

        // With pieces of different scores, a tokenizer.json can be said in scores again; the byte tokens tell it from byte-level BPE.
        if (name == "llama")
        {
            Tokenizer again = read.ToGguf().ToTokenizer();
            Assert.That(Golden(name).Select(entry => again.Encode(entry.Text)), Is.EqualTo(Golden(name).Select(entry => entry.Ids)));
        }
    }

    [Test]
    public void Tokens_around_a_text_and_user_defined_pieces_are_those_of_the_flags()
    {
        byte[] model = File.ReadAllBytes(Path.Combine(folder, "llama.model"));
        Tokenizer both = SentencePieceFile.Parse(model, addsStart: true, addsEnd: true).ToTokenizer(), none = Parts("llama").ToTokenizer();
        int[] hello = none.Encode("Hello");
        Assert.That(both.Encode("Hello"), Is.EqualTo((int[])[1, .. hello, 2]));
        Assert.That(both.Encode("Hello", addSpecialTokens: false), Is.EqualTo(hello));
        Assert.That(both.EndTokenIds, Is.EqualTo(new[] { 2 }));

        // As in Hugging Face's library and llama.cpp the text after a piece that is found as a whole begins with a space of its own.
        Assert.That(none.Encode("<sep>Hello"), Is.EqualTo((int[])[3, .. hello]));
    }

    [Test]
    public void What_is_not_supported_is_named()
    {
        byte[] model = File.ReadAllBytes(Path.Combine(folder, "llama.model"));
        Refuse([.. model, 0x12, 2, 0x18, 1], "model_type: expected bpe, found unigram");
        Refuse([.. model, 0x12, 5, 0x18, 2, 0xC0, 0x01, 1], "treat_whitespace_as_suffix");
        Refuse([.. model, 0x1A, 5, 0x12, 3, 1, 2, 3], "precompiled_charsmap");
        Refuse([.. model, 0x1A, 2, 0x28, 0], "escape_whitespaces");
        Refuse([.. model, 0x0A, 5, 0x0A, 1, (byte)'x', 0x18, 9], "expected a type from 1 to 6, found 9");
        Refuse(model[..^3], "not complete");
        Refuse([], "no pieces");
        Refuse(Encoding.UTF8.GetBytes("{\"version\": \"1.0\"}"), "another kind");

        static void Refuse(byte[] bytes, string message) =>
            Assert.That(() => SentencePieceFile.Parse(bytes, false, false), Throws.TypeOf<InvalidDataException>().With.Message.Contains(message));
    }

    [Test]
    public void Damaged_files_are_read_or_refused()
    {
        byte[] model = File.ReadAllBytes(Path.Combine(folder, "plain.model"));
        Random random = new(5);
        for (int i = 0; i < 3000; i++)
        {
            byte[] damaged = [.. model];
            for (int changes = random.Next(1, 4); changes > 0; changes--)
            {
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            }

            try
            {
                _ = SentencePieceFile.Parse(damaged.AsSpan(0, random.Next(3) == 0 ? random.Next(damaged.Length) : damaged.Length), true, false).ToTokenizer().Encode("a text é");
            }
            catch (InvalidDataException)
            {
            }
        }
    }

    private static TokenizerParts Parts(string name) => SentencePieceFile.Parse(File.ReadAllBytes(Path.Combine(folder, name + ".model")), addsStart: false, addsEnd: false);

    // As llama.cpp's converter writes it.
    private static GgufVocabulary Vocabulary(string name)
    {
        TokenizerParts parts = Parts(name);
        int size = parts.ToTokenizer().VocabularySize;
        (string[] tokens, int[] types) = GgufTokenizer.Table(parts, size);
        Dictionary<string, int> ranks = [];
        foreach ((int rank, (string left, string right)) in parts.Merges.Index())
        {
            ranks.TryAdd(left + right, parts.Ranks![rank]);
        }

        for (int id = 0; id < size; id++)
        {
            types[id] = tokens[id] == "<unk>" ? (int)PieceKind.Unknown : tokens[id].StartsWith("<0x", StringComparison.Ordinal) ? (int)PieceKind.Byte : types[id];
        }

        return new(GgufVocabulary.SentencePieceModel, "default", tokens, types, [])
        {
            Scores = [.. tokens.Select(token => -(float)ranks.GetValueOrDefault(token, parts.Merges.Count))],
            StartTokenId = 1,
            EndTokenId = 2,
            AddsStart = false,
            AddsSpacePrefix = name == "llama",
            RemovesExtraSpaces = name == "plain",
        };
    }

    private static IEnumerable<(string Text, int[] Ids, string Decoded)> Golden(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "golden.json")));
        foreach (JsonElement entry in document.RootElement.GetProperty(name).EnumerateArray().Select(entry => entry.Clone()).ToArray())
        {
            yield return (entry.GetProperty("text").GetString()!, [.. entry.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())], entry.GetProperty("decoded").GetString()!);
        }
    }
}
