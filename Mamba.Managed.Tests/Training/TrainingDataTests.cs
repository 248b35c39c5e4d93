using Mamba.Managed.Cli;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>Documents from files to batches.</summary>
public class TrainingDataTests
{
    private string root = "";

    [SetUp]
    public void Prepare() => root = Directory.CreateTempSubdirectory("mamba-data-").FullName;

    [TearDown]
    public void Remove() => Directory.Delete(root, recursive: true);

    [Test]
    public void Bad_lines_are_left_out_counted_and_explained()
    {
        string path = Path.Combine(root, "data.jsonl");
        byte[] text = [.. "{\"text\":\"ab\"}\n\n\"cd\"\r\n{\"tokens\":[7,8,9]}\nnot json\n{\"other\":1}\n{\"text\":\""u8, 0xFF, 0xFE, .. "\"}\n{\"tokens\":[1.5]}\n{\"text\":\"e\"}"u8];
        File.WriteAllBytes(path, text);
        DocumentReport report = DocumentReader.Read(path, Encode);
        Assert.That(report.Documents.Count, Is.EqualTo(4));
        Assert.That(Tokens(report.Documents, 8), Is.EqualTo(new[] { 'a', 'b', 'c', 'd', 7, 8, 9, 'e' }));
        Assert.That(report.BadLines, Is.EqualTo(4));
        Assert.That(report.FirstBad.Select(line => line.Split(':')[0]), Is.EqualTo(new[] { "line 5", "line 6", "line 7", "line 8" }));
    }

    [Test]
    public void A_token_file_gives_back_what_was_written()
    {
        string path = Path.Combine(root, "data.tokens");
        TokenDocuments.Of([[1, 2, 3], [], [4], [5, 6]]).Save(path);
        using TokenDocuments found = DocumentReader.Read(path, Encode).Documents;
        Assert.That((found.Count, found.TokenCount, found.Start(1), found.Start(3)), Is.EqualTo((3, 6L, 3L, 6L)));
        Assert.That(Tokens(found, 6), Is.EqualTo(new[] { 1, 2, 3, 4, 5, 6 }));
    }

    [Test]
    public void Damaged_and_empty_files_give_one_clear_error()
    {
        string path = Path.Combine(root, "data.tokens"), empty = Path.Combine(root, "empty.txt"), latin = Path.Combine(root, "latin.txt");
        TokenDocuments.Of([[1, 2, 3], [4], [5, 6]]).Save(path);
        File.WriteAllText(empty, "");
        File.WriteAllBytes(latin, [65, 0xE9, 66]);
        byte[] whole = File.ReadAllBytes(path);
        Random random = new(1);
        for (int i = 0; i < 2000; i++)
        {
            byte[] bytes = i % 2 == 0 ? [.. whole] : whole[..random.Next(whole.Length)];
            for (int j = random.Next(1, 4); j > 0 && bytes.Length > 0; j--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(path, bytes);
            try
            {
                using TokenDocuments documents = TokenDocuments.Open(path);
                Assert.That(documents.TokenCount, Is.LessThanOrEqualTo(bytes.Length / 4));
            }
            catch (InvalidDataException error)
            {
                Assert.That(error.Message, Does.StartWith(path));
            }
        }

        Assert.That(() => DocumentReader.Read(empty, Encode), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("found none"));
        Assert.That(() => DocumentReader.Read(latin, Encode), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("at 1"));
        Assert.That(() => DocumentReader.Read(Path.Combine(root, "no.txt"), Encode), Throws.InstanceOf<FileNotFoundException>());
    }

    [Test]
    public void Every_token_of_a_pass_is_dealt_once_with_its_successor([Values] bool carry, [Values(0, 1, 5)] int epoch)
    {
        // Token ids say where they stand: 100 x document + place.
        int[][] documents = [.. Enumerable.Range(0, 9).Select(d => Enumerable.Range(0, 3 + (5 * d)).Select(i => (100 * d) + i).ToArray())];
        TokenDocuments data = TokenDocuments.Of(documents);
        BatchSampler sampler = new(data, 0, data.TokenCount, Config, new() { Windows = 3, Length = 7, Seed = 5, CarryState = carry });
        List<int> seen = [];
        for (long i = 0; i < sampler.BatchesPerEpoch; i++)
        {
            TrainingBatch batch = sampler.Batch((epoch * sampler.BatchesPerEpoch) + i);
            int[] tokens = batch.Tokens.ToArray(), targets = batch.Targets.ToArray();
            Assert.That(batch.Lengths.ToArray().Sum(), Is.EqualTo(21));
            Assert.That(batch.States?.Count, Is.EqualTo(carry ? batch.Lengths.Length : null));
            foreach ((int token, int target) in tokens.Zip(targets))
            {
                bool last = token % 100 == documents[token / 100].Length - 1;
                Assert.That(target, Is.EqualTo(last ? TrainingBatch.NoTarget : token + 1));
            }

            seen.AddRange(tokens);
        }

        Assert.That(seen, Is.Unique.And.Count.EqualTo(sampler.BatchesPerEpoch * 21));
    }

    [Test]
    public void Carried_states_make_windows_one_long_sequence()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 2);
        TokenDocuments data = TokenDocuments.Of([[.. Enumerable.Range(0, 60).Select(i => i * 7 % 50)]]);
        BatchSampler sampler = new(data, 0, 60, Config, new() { Windows = 1, Length = 10, CarryState = true });
        using TrainingPass pass = new(Config, 1);
        double sum = Enumerable.Range(0, 6).Sum(i => pass.Evaluate(model, sampler.Batch(i)).Sum);
        double whole = pass.Evaluate(model, TrainingBatch.OfDocuments(Tokens(data, 60))).Sum;
        Assert.That(sum, Is.EqualTo(whole).Within(1e-12 * whole));
        Assert.That(sampler.Tracks[0].Position, Is.EqualTo(60));
    }

    [Test]
    public void Windows_longer_than_the_data_are_refused()
    {
        TokenDocuments data = TokenDocuments.Of([[1, 2, 3]]);
        Assert.That(
            () => new BatchSampler(data, 0, 3, Config, new() { Windows = 1, Length = 4 }), Throws.ArgumentException.With.Message.Contains("found 3 tokens"));
        Assert.That(
            () => new Trainer(MambaLanguageModel.Create(Config, 1), data, new TrainerOptions { ValidationTokens = 9 }), Throws.ArgumentException);
    }

    [Test]
    public void A_run_learns_what_can_be_learnt()
    {
        using Trainer trainer = TrainingChild.Create(null, false);
        List<TrainingReport> reports = [];
        double before = trainer.Validate();
        trainer.Run(new Listener<TrainingReport>(reports.Add));
        Assert.That(reports, Has.Count.EqualTo(TrainingChild.Steps));
        Assert.That(reports[^1].Validation, Is.LessThan(before - 0.5));
        Assert.That(reports[0].LearningRate, Is.EqualTo(0.002).Within(1e-12));
        Assert.That(reports[0].Tokens, Is.EqualTo(96));
    }

    private static MambaConfig Config { get; } = new() { DModel = 12, NLayer = 1, VocabSize = 1000 };

    private static int[] Tokens(TokenDocuments documents, int count)
    {
        int[] tokens = new int[count];
        documents.CopyTo(0, tokens);
        return tokens;
    }

    private static int[] Encode(string text) => [.. text.Select(c => (int)c)];
}
