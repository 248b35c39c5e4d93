using System.Diagnostics;
using System.Globalization;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba bench --train</c>: whole training steps, forward, backward, clipping and AdamW.</summary>
internal static class TrainingBench
{
    private const int Rounds = 5;
    private const int PeakRounds = 3;

    /// <summary>Measures training steps on random tokens.</summary>
    /// <param name="engine">The model in training.</param>
    /// <param name="device">What it trains on.</param>
    /// <param name="windows">Windows of a batch.</param>
    /// <param name="length">Tokens of a window.</param>
    public static Result Measure(ITrainingEngine engine, TrainingDevice device, int windows, int length)
    {
        MambaConfig config = engine.Model.Config;
        Random random = new(1);
        double[] speeds = new double[Rounds];
        for (int round = -1; round < Rounds; round++)
        {
            int[][] documents = [.. Enumerable.Range(0, windows).Select(_ => Enumerable.Range(0, length + 1).Select(_ => random.Next(config.VocabSize)).ToArray())];
            TrainingBatch batch = TrainingBatch.OfDocuments(documents);
            long start = Stopwatch.GetTimestamp();
            engine.ClearGradients();
            engine.Run(batch);
            engine.Step(1e-3);

            // The first round does not count: code is compiled and memory touched in it.
            if (round >= 0)
            {
                speeds[round] = windows * length / Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        }

        using Process process = Process.GetCurrentProcess();
        long memory = process.PeakWorkingSet64;
        double peak = device.Peak(engine, PeakRounds);
        double share = 6.0 * config.ParameterCount * speeds.Max() / 1e9 / peak;
        return new(device.Runner(engine), (engine as CpuTrainingEngine)?.Threads, speeds, peak, share, memory, config.ParameterCount);
    }

    public static void Print(TextWriter output, Result result, bool asJson)
    {
        if (asJson)
        {
            JsonOutput.Write(output, json =>
            {
                if (result.Threads is { } threads)
                {
                    json.WriteNumber("threads", threads);
                }

                json.WriteString("device", result.Runner);
                json.WriteNumber("train", result.Speeds.Max());
                json.WriteNumber("train_worst", result.Speeds.Min());
                json.WriteNumber("train_fma_share", result.Share);
                json.WriteNumber("fma_gflop_s", result.Peak);
                json.WriteNumber("peak_bytes", result.Memory);
                json.WriteNumber("parameters", result.Parameters);
            });
            return;
        }

        if (result.Threads is null)
        {
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"train {result.Speeds.Max():F1} tokens/s on {result.Runner} (worst of {Rounds}: {result.Speeds.Min():F1}), {result.Share:P1} of {result.Peak:F0} GFLOP/s in multiply-adds of float32"));
            return;
        }

        double extra = (result.Memory - (16.0 * result.Parameters)) / 1e6;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"train {result.Speeds.Max():F1} tokens/s (worst of {Rounds}: {result.Speeds.Min():F1}), {result.Share:P1} of {result.Peak:F0} GFLOP/s; {result.Memory / 1e6:F0} MB at most, 16 bytes for each parameter and {extra:F0} MB"));
    }

    internal sealed record Result(string Runner, int? Threads, double[] Speeds, double Peak, double Share, long Memory, long Parameters);
}
