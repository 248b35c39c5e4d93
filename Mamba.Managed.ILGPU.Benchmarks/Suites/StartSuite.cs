using System.Diagnostics;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>From the start of a process to its first token, with kernels that an earlier process compiled.</summary>
internal static class StartSuite
{
    private const int Repetitions = 3;
    private const int PromptLength = 12;

    public static IEnumerable<Benchmark> Rows() =>
        [new("start-130m-f32", "start to first token 130m Float32, kernels cached on disk", Unit.Seconds, Measure) { Target = 3 }];

    /// <summary>What the started process does.</summary>
    public static int FirstToken(string model, string device, string kernelCache)
    {
        using ModelSource source = ModelSource.Open(model);
        using GpuExecutor executor = GpuExecutor.Create(source.Model, GpuDevice.Find(device), new() { KernelCacheFolder = kernelCache });
        using SequenceState state = executor.CreateState();
        float[] logits = new float[executor.Config.VocabSize];
        executor.Prefill(RandomModel.Tokens(executor.Config, PromptLength), state, logits);
        Console.WriteLine(Array.IndexOf(logits, logits.Max()));
        return 0;
    }

    private static Measurement Measure(Bench bench)
    {
        string folder = Directory.CreateTempSubdirectory("mamba-start-").FullName;
        try
        {
            string model = Path.Combine(folder, "model"), cache = Path.Combine(folder, "kernels");
            Checkpoint.Save(model, RandomModel.Of(RandomModel.Config(RandomModel.Small, bench.IsSmall), ElementType.Float32));
            Bench.Log(FormattableString.Invariant($"start with no kernels cached: {Start(model, bench.Device, cache):F2} s"));
            return new() { Seconds = [.. Enumerable.Range(0, Repetitions).Select(_ => Start(model, bench.Device, cache))] };
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Start(string model, string device, string cache)
    {
        long start = Stopwatch.GetTimestamp();
        using Process process = OwnProcess.Start(["first-token", model, "--device", device, "--kernel-cache", cache]);
        string? token = process.StandardOutput.ReadLine();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        process.WaitForExit();
        return token is not null && process.ExitCode == 0 ? seconds
            : throw new InvalidOperationException(FormattableString.Invariant($"expected a token, found exit code {process.ExitCode}"));
    }
}
