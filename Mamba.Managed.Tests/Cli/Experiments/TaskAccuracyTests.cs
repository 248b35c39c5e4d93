using Mamba.Managed.Cli.Experiments;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Cli.Experiments;

/// <summary>The measure of a task, held to models that are always right and never right.</summary>
internal sealed class TaskAccuracyTests
{
    private static readonly SyntheticTask[] tasks = [new SelectiveCopying(), new InductionHeads()];

    private static MambaConfig Sizes => new() { DModel = 8, NLayer = 1, VocabSize = SyntheticTask.VocabSize };

    [Test]
    public void A_perfect_answerer_scores_everything_and_one_that_is_always_wrong_nothing(
        [ValueSource(nameof(tasks))] SyntheticTask task, [Values(64, 4080, 4095, 9000)] int length)
    {
        using Oracle perfect = new(task, 0), wrong = new(task, 1);
        TaskAccuracy found = TaskAccuracy.Measure(perfect, task, length, 3, default);
        Assert.That((found.Share, found.Right, found.Length), Is.EqualTo((1.0, found.Asked, length)));
        Assert.That(found.Asked, Is.EqualTo(task is InductionHeads ? 3 : 3 * SelectiveCopying.DataTokens));
        Assert.That(TaskAccuracy.Measure(wrong, task, length, 3, default).Right, Is.Zero);
    }

    [Test]
    public void A_canceled_measure_ends()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Sizes, 1), 1);
        Assert.That(
            () => TaskAccuracy.Measure(executor, new InductionHeads(), 64, 1, new CancellationToken(true)), Throws.InstanceOf<OperationCanceledException>());
    }

    /// <summary>Knows the task: says the answer where it is asked for, moved on by some tokens.</summary>
    private sealed class Oracle(SyntheticTask task, int shift) : IMambaExecutor
    {
        // Both tasks ask with the last token of the vocabulary.
        private const int Question = SyntheticTask.VocabSize - 1;

        private readonly List<int> seen = [];

        public MambaConfig Config => Sizes;

        public ModelFingerprint Fingerprint => default;

        public int MaxRows => 512;

        public SequenceState CreateState() => new CpuState(Config);

        public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<SequenceInput> batch, Span<float> logits)
        {
            CpuState state = (CpuState)batch[0].State;
            if (state.Position == 0)
            {
                seen.Clear();
            }

            for (int i = 0; i < tokens.Length; i++)
            {
                seen.Add(tokens[i]);
                int row = i - (tokens.Length - batch[0].LogitCount);
                if (tokens[i] != Question || row < 0)
                {
                    continue;
                }

                Span<float> answer = logits.Slice(row * Config.VocabSize, Config.VocabSize);
                answer.Clear();
                answer[(Answer() + shift) % Config.VocabSize] = 1;
            }

            state.Advance(tokens.Length);
        }

        public void Dispose()
        {
        }

        private int Answer() => task is InductionHeads
            ? seen[(seen.IndexOf(Question) + 1) % seen.Count]
            : seen.Where(token => token is not (SelectiveCopying.Noise or Question)).ElementAt(seen.Count(token => token == Question) - 1);
    }
}
