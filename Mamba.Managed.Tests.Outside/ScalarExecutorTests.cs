using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tests.Execution;

namespace Mamba.Managed.Tests.Outside;

/// <summary>An executor of another assembly keeps the contract, and texts move between it and the processor's.</summary>
public class ScalarExecutorTests : ExecutorContract
{
    protected override double Tolerance => 1e-4;

    protected override IMambaExecutor Create(MambaLanguageModel model) => new ScalarExecutor(model);

    [Test]
    public void A_text_begun_on_one_executor_goes_on_in_the_same_words_on_the_other([Values] bool onProcessor)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Shapes[0], 30);
        using IMambaExecutor first = onProcessor ? new CpuExecutor(model, 1) : Create(model), second = onProcessor ? Create(model) : new CpuExecutor(model, 1);
        using SequenceState whole = first.CreateState(), begun = first.CreateState(), moved = second.CreateState();
        int[] prompt = Tokens(model.Config, 20);
        float[] logits = new float[model.Config.VocabSize];
        first.Prefill(prompt, whole, logits);
        int[] expected = Greedy(first, whole, logits, 20);
        first.Prefill(prompt, begun, logits);
        int[] start = Greedy(first, begun, logits, 8);
        using MemoryStream stream = new();
        begun.Save(stream, first.Fingerprint, "the text so far"u8);
        stream.Position = 0;
        Assert.That(moved.Restore(stream, second.Fingerprint), Is.EqualTo("the text so far"u8.ToArray()));
        Assert.That((int[])[.. start, .. Greedy(second, moved, logits, 12)], Is.EqualTo(expected));
    }

    private static int[] Greedy(IMambaExecutor executor, SequenceState state, float[] logits, int count)
    {
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++)
        {
            tokens[i] = Array.IndexOf(logits, logits.Max());
            executor.Prefill([tokens[i]], state, logits);
        }

        return tokens;
    }
}
