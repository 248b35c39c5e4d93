using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Execution;

/// <summary>Hidden vectors: the head of them gives the logits, and they are the same bits in any batch.</summary>
public sealed class HiddenVectorTests : IDisposable
{
    private static readonly MambaConfig Config = new() { DModel = 24, NLayer = 3, VocabSize = 70, InitializerRange = 1, TieEmbeddings = false };

    private readonly MambaLanguageModel model = MambaLanguageModel.Create(Config, 1);
    private readonly CpuExecutor executor;

    public HiddenVectorTests() => executor = new(model, 2);

    public void Dispose() => executor.Dispose();

    [Test]
    public void The_head_of_hidden_vectors_gives_the_logits([Values(1, 2, 40)] int length, [Values] LogitRows rows)
    {
        int[] tokens = [.. Enumerable.Range(0, length).Select(i => i * 7 % 70)];
        int count = new SequenceInput(null!, length, rows).LogitCount;
        float[] logits = new float[count * 70], hidden = new float[count * 24], alone = new float[count * 24];
        using CpuState both = executor.CreateState(), one = executor.CreateState();
        executor.Run(tokens, [new(both, length, rows)], logits, hidden);
        executor.Run(tokens, [new(one, length, rows)], [], alone);
        Assert.That(alone, Is.EqualTo(hidden), "with logits and without");
        float[] head = model.Vocabulary.Head!.Weight.ToFloats();
        for (int row = 0; row < count; row++)
        {
            for (int token = 0; token < 70; token++)
            {
                double expected = Enumerable.Range(0, 24).Sum(k => (double)head[(token * 24) + k] * hidden[(row * 24) + k]);
                Assert.That(logits[(row * 70) + token], Is.EqualTo(expected).Within(1e-4));
            }
        }
    }

    [Test]
    public void They_are_the_same_bits_alone_in_a_batch_and_in_chunks()
    {
        int[] tokens = [.. Enumerable.Range(0, 30).Select(i => i * 11 % 70)];
        float[] whole = new float[30 * 24], parts = new float[30 * 24], last = new float[2 * 24];
        using CpuState a = executor.CreateState(), b = executor.CreateState(), c = executor.CreateState(), d = executor.CreateState();
        executor.Run(tokens, [new(a, 30, LogitRows.All)], [], whole);
        for (int i = 0; i < 30; i++)
        {
            executor.Run(tokens.AsSpan(i, 1), [new(b, 1, LogitRows.Last)], [], parts.AsSpan(i * 24, 24));
        }

        executor.Run([.. tokens, 1, 2, 3], [new(c, 30, LogitRows.Last), new(d, 3, LogitRows.Last)], [], last);
        Assert.That(parts, Is.EqualTo(whole));
        Assert.That(last[..24], Is.EqualTo(whole[^24..]));
    }

    [Test]
    public void Lengths_that_do_not_fit_are_refused()
    {
        using CpuState state = executor.CreateState();
        Assert.That(() => executor.Run([1, 2], [new(state, 2, LogitRows.All)], [], new float[24]), Throws.ArgumentException);
        Assert.That(() => executor.Run([1, 2], [new(state, 2, LogitRows.All)], new float[70], new float[48]), Throws.ArgumentException);
        Assert.That(() => executor.Run([1, 2], [new(state, 2, LogitRows.All)], [], []), Throws.ArgumentException, "rows are wanted, and none taken");
        Assert.That(state.Position, Is.Zero);
        IMambaExecutor without = new Generation.ScriptedExecutor(executor, []);
        Assert.That(() => without.Run([1], [new(state, 1, LogitRows.Last)], [], new float[24]), Throws.TypeOf<NotSupportedException>().With.Message.Contains("ScriptedExecutor"));
    }
}
