using System.Text.Json;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Tokenizers;

/// <summary>Ids and texts against those of Hugging Face's tokenizers.</summary>
public class TokenizerGoldenTests
{
    private static readonly Dictionary<string, BpeTokenizer> Loaded = [];

    public static IEnumerable<TestCaseData> Entries()
    {
        IEnumerable<string> roots = [Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures")];
        string? further = Environment.GetEnvironmentVariable("MAMBA_FIXTURES");
        roots = roots.Concat(further?.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries) ?? []);
        foreach (string file in roots.SelectMany(root => Directory.EnumerateFiles(root, "tokenizer.json", SearchOption.AllDirectories)))
        {
            string golden = Path.Combine(Path.GetDirectoryName(file)!, "golden.json");
            if (File.Exists(golden))
            {
                using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(golden));
                foreach ((int index, JsonElement entry) in document.RootElement.EnumerateArray().Index())
                {
                    int[] ids = [.. entry.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
                    yield return new TestCaseData(file, entry.GetProperty("text").GetString(), ids, entry.GetProperty("decoded").GetString())
                        .SetArgDisplayNames(Path.GetFileName(Path.GetDirectoryName(file))!, $"{index}");
                }
            }
        }
    }

    [TestCaseSource(nameof(Entries))]
    public void Ids_and_decoded_text_are_exact(string file, string text, int[] ids, string decoded)
    {
        BpeTokenizer tokenizer = Load(file);
        Assert.That(tokenizer.Encode(text), Is.EqualTo(ids));
        Assert.That(tokenizer.Decode(ids), Is.EqualTo(decoded));
    }

    [Test]
    public void A_tokenizer_that_eight_threads_share_gives_each_of_them_the_same()
    {
        foreach (IGrouping<object?, object?[]> kind in Entries().Select(entry => entry.Arguments).GroupBy(arguments => arguments[0]))
        {
            BpeTokenizer shared = BpeTokenizer.Load((string)kind.Key!);
            object?[][] entries = [.. kind];
            Task[] tasks = [.. Enumerable.Range(0, 8).Select(seed => Task.Factory.StartNew(() => Take(shared, entries, new Random(seed)), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
            Assert.That(Task.WhenAll(tasks).Wait(TimeSpan.FromMinutes(1)));
        }

        static void Take(BpeTokenizer shared, object?[][] entries, Random random)
        {
            for (int round = 0; round < 2 * entries.Length; round++)
            {
                object?[] entry = entries[random.Next(entries.Length)];
                Assert.That(shared.Encode((string)entry[1]!), Is.EqualTo(entry[2]));
                Assert.That(shared.Decode((int[])entry[2]!), Is.EqualTo(entry[3]));
            }
        }
    }

    [Test]
    public void The_same_vocabulary_in_a_GGUF_file_gives_the_same_ids()
    {
        string fixtures = Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");
        GgufVocabulary vocabulary = GgufVocabulary.Read(GgufFile.Open(Path.Combine(fixtures, "gguf", "gpt-neox-vocab.gguf")).Metadata)!;
        Tokenizer tokenizer = vocabulary.ToTokenizer();
        Assert.That(tokenizer.EndTokenId, Is.Zero);
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(fixtures, "gpt-neox-tokenizer", "golden.json")));
        foreach (JsonElement entry in golden.RootElement.EnumerateArray())
        {
            int[] ids = [.. entry.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            Assert.That(tokenizer.Encode(entry.GetProperty("text").GetString()!), Is.EqualTo(ids), entry.GetProperty("text").GetString());
            Assert.That(tokenizer.Decode(ids), Is.EqualTo(entry.GetProperty("decoded").GetString()));
        }
    }

    [Test]
    public void The_published_vocabulary_ends_with_endoftext()
    {
        BpeTokenizer tokenizer = Load(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "gpt-neox-tokenizer", "tokenizer.json"));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(50277));
        Assert.That(tokenizer.EndTokenId, Is.Zero);
    }

    [Test]
    public void Every_token_but_partial_characters_decodes_and_a_stream_gives_the_whole()
    {
        BpeTokenizer tokenizer = Load(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "gpt-neox-tokenizer", "tokenizer.json"));
        Random random = new(5);
        for (int round = 0; round < 300; round++)
        {
            // Ids at random: most sequences hold bytes that are no UTF-8.
            int[] tokens = [.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => random.Next(4) == 0 ? random.Next(96, 220) : random.Next(50277))];
            StreamingDecoder decoder = new(tokenizer);
            string streamed = string.Concat(tokens.Select(token => decoder.Append(token).ToString())) + decoder.Flush().ToString();
            Assert.That(streamed, Is.EqualTo(tokenizer.Decode(tokens)));
        }
    }

    private static BpeTokenizer Load(string file)
    {
        lock (Loaded)
        {
            return Loaded.TryGetValue(file, out BpeTokenizer? tokenizer) ? tokenizer : Loaded[file] = BpeTokenizer.Load(file);
        }
    }
}
