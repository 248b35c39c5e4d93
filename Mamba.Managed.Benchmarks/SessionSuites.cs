using BenchmarkDotNet.Attributes;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Generation.Prefixes;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Benchmarks;

/// <summary>Sessions of the 130m shape as values: forked, saved, restored, kept in a cache and taken from it. None computes with the model.</summary>
public class SessionSuite : ISuite
{
    private readonly MemoryStream exact = new();
    private readonly MemoryStream half = new();
    private readonly MemoryStream target = new();
    private readonly int[] text = [.. Enumerable.Range(0, 1000)];
    private CpuExecutor? executor;
    private GenerationEngine? engine;
    private GenerationSession? session;
    private CpuState? state;
    private PrefixCache? cache;
    private PrefixCache? full;
    private int turn;

    /// <inheritdoc/>
    public Work Work => default;

    /// <summary>Makes a session that has seen a text. The vocabulary plays no part.</summary>
    [GlobalSetup]
    public void Setup()
    {
        executor = new CpuExecutor(MambaLanguageModel.Create(new() { DModel = 768, NLayer = 24, VocabSize = 1024 }, 1), 1);
        engine = new(executor, new ByteTokenizer());
        session = engine.CreateSession();
        session.Append(text);
        executor.Prefill(session.Waiting, session.State, new float[executor.Config.VocabSize]);
        engine.Save(session, exact);
        engine.Save(session, half, ElementType.Float16);
        state = executor.CreateState();
        cache = new();
        cache.Store(text, session.State, executor.Fingerprint);
        full = new(new() { MemoryBytes = 20_000_000 });
    }

    /// <summary>Frees all.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        engine?.Dispose();
        executor?.Dispose();
        cache?.Dispose();
        full?.Dispose();
    }

    /// <summary>A second session with the same text.</summary>
    [Benchmark]
    public void Fork() => engine!.Fork(session!).Dispose();

    /// <summary>To bytes, exactly.</summary>
    [Benchmark]
    public void Save()
    {
        target.Position = 0;
        engine!.Save(session!, target);
    }

    /// <summary>From bytes.</summary>
    [Benchmark]
    public void Restore()
    {
        exact.Position = 0;
        engine!.Restore(exact).Dispose();
    }

    /// <summary>To half the bytes.</summary>
    [Benchmark]
    public void SaveFloat16()
    {
        target.Position = 0;
        engine!.Save(session!, target, ElementType.Float16);
    }

    /// <summary>From half the bytes.</summary>
    [Benchmark]
    public void RestoreFloat16()
    {
        half.Position = 0;
        engine!.Restore(half).Dispose();
    }

    /// <summary>A state into a cache that is full: another one makes room.</summary>
    [Benchmark]
    public void Store()
    {
        text[0] = turn++;
        full!.Store(text, session!.State, executor!.Fingerprint);
        text[0] = 0;
    }

    /// <summary>A state from a cache.</summary>
    [Benchmark]
    public PrefixUse Take() => cache!.Restore([.. text, 1], state!, executor!.Fingerprint);
}
