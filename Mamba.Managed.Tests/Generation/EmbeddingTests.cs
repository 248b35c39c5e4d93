using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation;

/// <summary>Hidden vectors of texts by the engine: the executor's own, whatever else runs.</summary>
public sealed class EmbeddingTests : IDisposable
{
    private static readonly MambaConfig Config = new() { DModel = 16, NLayer = 2, VocabSize = 256, InitializerRange = 1, TieEmbeddings = false };

    private readonly CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
    private readonly ByteTokenizer bytes = new();

    public void Dispose() => executor.Dispose();

    [Test]
    public async Task Vectors_are_those_of_the_executor_while_others_generate([Values] Pooling pooling, [Values(1, 4, 32)] int maxBatch)
    {
        using GenerationEngine engine = new(executor, bytes, new() { MaxBatch = maxBatch });
        Task<GenerationResult>[] others = [.. Enumerable.Range(0, 4).Select(i => engine.GenerateAsync(new(Tokens(20, i)) { Options = new() { MaxTokens = 100, Seed = 1 } }))];
        float[][] found = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => engine.EmbedAsync(new(Tokens(1 + (i * 60), i)), pooling)));
        for (int i = 0; i < found.Length; i++)
        {
            Assert.That(found[i], Is.EqualTo(Expected(Tokens(1 + (i * 60), i), pooling)), $"text {i}");
        }

        GenerationResult[] together = await Task.WhenAll(others);
        GenerationResult alone = await engine.GenerateAsync(new(Tokens(20, 0)) { Options = new() { MaxTokens = 100, Seed = 1 } });
        Assert.That(together[0].Tokens, Is.EqualTo(alone.Tokens));
    }

    [Test]
    public async Task A_long_text_leaves_room_for_those_that_generate()
    {
        using GenerationEngine engine = new(executor, bytes, new() { MaxDelay = TimeSpan.FromMilliseconds(1) });
        Task<float[]> embedding = engine.EmbedAsync(new(Tokens(200_000, 1)), Pooling.Last);
        GenerationResult result = await engine.GenerateAsync(new(Tokens(4, 2)) { Options = new() { MaxTokens = 5 } });
        Assert.That(embedding.IsCompleted, Is.False, "the text was not read to its end first");
        Assert.That(result.Tokens, Has.Count.EqualTo(5));
        await embedding;
    }

    [Test]
    public async Task Errors_and_cancellation_reach_the_caller()
    {
        using GenerationEngine engine = new(executor, bytes), without = new(new ScriptedExecutor(executor, []), bytes);
        Assert.That(async () => await engine.EmbedAsync(new(Array.Empty<int>())), Throws.ArgumentException);
        Assert.That(async () => await engine.EmbedAsync(new(new[] { 256 })), Throws.ArgumentException);
        Assert.That(async () => await engine.EmbedAsync(new(new[] { 1 }) { Session = engine.CreateSession() }), Throws.ArgumentException);
        Assert.That(async () => await without.EmbedAsync(new(new[] { 1 })), Throws.TypeOf<NotSupportedException>());
        Assert.That(async () => await engine.EmbedAsync(new(Tokens(500_000, 1)) { Deadline = TimeSpan.FromMilliseconds(5) }), Throws.TypeOf<TimeoutException>());
        using CancellationTokenSource canceled = new(5);
        Assert.That(async () => await engine.EmbedAsync(new(Tokens(500_000, 1)), Pooling.Mean, canceled.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(() => engine.Metrics.Running + engine.Metrics.Queued, Is.Zero.After(5000, 5));
        await engine.EmbedAsync(new(new[] { 1 }));
        await engine.DrainAsync();
    }

    private float[] Expected(int[] tokens, Pooling pooling)
    {
        float[] hidden = new float[tokens.Length * 16];
        using SequenceState state = executor.CreateState();
        for (int at = 0; at < tokens.Length; at += 100)
        {
            int length = Math.Min(100, tokens.Length - at);
            executor.Run(tokens.AsSpan(at, length), [new(state, length, LogitRows.All)], [], hidden.AsSpan(at * 16, length * 16));
        }

        return pooling == Pooling.Last ? hidden[^16..]
            : [.. Enumerable.Range(0, 16).Select(k => (float)(Enumerable.Range(0, tokens.Length).Sum(row => (double)hidden[(row * 16) + k]) / tokens.Length))];
    }

    private static int[] Tokens(int count, int seed) => [.. Enumerable.Range(0, count).Select(i => ((i * 31) + (seed * 7)) % 256)];
}
