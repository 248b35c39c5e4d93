using Mamba.Managed.Cli;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Evaluation;

/// <summary>The paper's tasks: what is asked and what is answered, batches of them, and that a model learns from them.</summary>
internal sealed class SyntheticTaskTests
{
    private static readonly SyntheticTask[] tasks = [new SelectiveCopying(), new InductionHeads()];

    [Test]
    public void The_answer_of_induction_heads_is_what_followed_the_special_token([Values(3, 4, 5, 64, 257)] int length)
    {
        HashSet<int> places = [];
        for (ulong seed = 0; seed < 200; seed++)
        {
            (int[] tokens, int[] targets) = Sequence(new InductionHeads(), length, seed);
            int place = Array.IndexOf(tokens, InductionHeads.Special);
            places.Add(place);
            Assert.That(tokens, Has.Length.EqualTo(length).And.All.InRange(0, SyntheticTask.VocabSize - 1));
            Assert.That(tokens.Count(token => token == InductionHeads.Special), Is.EqualTo(2));
            Assert.That(tokens[^1], Is.EqualTo(InductionHeads.Special));
            Assert.That(place, Is.LessThan(length - 2));
            Assert.That(targets[..^1], Is.All.EqualTo(TrainingBatch.NoTarget));
            Assert.That(targets[^1], Is.EqualTo(tokens[place + 1]));
        }

        Assert.That(places, Has.Count.EqualTo(length - 2).Or.Count.GreaterThan(50));
    }

    [Test]
    public void The_answers_of_selective_copying_are_the_data_tokens_in_their_order([Values(16, 17, 64, 300)] int length)
    {
        for (ulong seed = 0; seed < 50; seed++)
        {
            (int[] tokens, int[] targets) = Sequence(new SelectiveCopying(), length, seed);
            int[] data = [.. tokens[..length].Where(token => token != SelectiveCopying.Noise)];
            Assert.That(data, Has.Length.EqualTo(SelectiveCopying.DataTokens).And.All.InRange(1, SelectiveCopying.Marker - 1));
            Assert.That(tokens[length..], Has.Length.EqualTo(SelectiveCopying.DataTokens).And.All.EqualTo(SelectiveCopying.Marker));
            Assert.That(targets[..length], Is.All.EqualTo(TrainingBatch.NoTarget));
            Assert.That(targets[length..], Is.EqualTo(data));
        }
    }

    [TestCaseSource(nameof(tasks))]
    public void A_seed_gives_a_sequence_and_another_seed_another(SyntheticTask task)
    {
        (int[] tokens, int[] targets) = Sequence(task, 100, 5);
        Assert.That(Sequence(task, 100, 5), Is.EqualTo((tokens, targets)));
        Assert.That(Sequence(task, 100, 6).Tokens, Is.Not.EqualTo(tokens));
        Assert.That(() => task.Sequence(task.MinLength - 1, 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [TestCaseSource(nameof(tasks))]
    public void Batches_follow_from_their_number_and_no_sequence_comes_twice(SyntheticTask task)
    {
        BatchOptions options = new() { Windows = 3, Length = 40, Seed = 9 };
        SyntheticBatches batches = new(task, options), again = new(task, options);
        HashSet<string> seen = [];
        for (int number = 0; number < 20; number++)
        {
            TrainingBatch batch = batches.Batch(number);
            _ = new CheckedBatch(batch, Config);
            seen.UnionWith(batch.Tokens.ToArray().Chunk(task.TokenCount(40)).Select(tokens => string.Join(' ', tokens)));
        }

        Assert.That(again.Batch(17).Tokens.ToArray(), Is.EqualTo(batches.Batch(17).Tokens.ToArray()));
        Assert.That(seen, Has.Count.EqualTo(20 * 3));
    }

    [Test]
    public void Lengths_grow_from_the_least_to_that_of_the_task_and_batches_stay_about_as_large()
    {
        SyntheticBatches batches = new(new InductionHeads(), new() { Windows = 2, Length = 102, Seed = 3 }, new LengthGrowth(20, Steps: 80));
        (int Count, int Length)[] seen = [.. Enumerable.Range(0, 80).Select(number => batches.Batch(number).Lengths.ToArray()).Select(all => (all.Length, all.Distinct().Single()))];
        Assert.That(seen[..41], Is.All.EqualTo((2, 25)));
        Assert.That(seen[41..51].Distinct(), Is.EquivalentTo(new[] { (2, 25), (1, 51) }));
        Assert.That(seen[51..].Distinct(), Is.EquivalentTo(new[] { (2, 25), (1, 51), (1, 102) }));
    }

    [TestCaseSource(nameof(tasks))]
    public void A_few_steps_lower_the_loss(SyntheticTask task)
    {
        TrainerOptions options = new()
        {
            Steps = 40, Schedule = new(1e-2), Batch = new() { Windows = 4, Length = task.MinLength, Seed = 1 }, Threads = 1,
        };
        using Trainer trainer = new(MambaLanguageModel.Create(Config, 1), new SyntheticBatches(task, options.Batch), options);
        List<double> losses = [];
        trainer.Run(new Listener<TrainingReport>(report => losses.Add(report.Loss)));
        Assert.That(losses[^10..].Average(), Is.LessThan(losses[0] - 0.05));
    }

    private static MambaConfig Config => new() { DModel = 16, NLayer = 2, VocabSize = SyntheticTask.VocabSize };

    private static (int[] Tokens, int[] Targets) Sequence(SyntheticTask task, int length, ulong seed)
    {
        (int Token, int Target)[] sequence = [.. task.Sequence(length, seed)];
        return ([.. sequence.Select(at => at.Token)], [.. sequence.Select(at => at.Target)]);
    }
}
