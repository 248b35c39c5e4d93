using System.Diagnostics;
using System.Globalization;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba bench --train</c>: whole training steps, forward, backward, clipping and AdamW.</summary>
internal static class TrainingBench
{
    private const int Rounds = 5;
    private const int PeakRounds = 3;

    /// <summary>Measures training steps on random tokens.</summary>
    /// <param name="model">Float32 weights in memory of their own; written.</param>
    /// <param name="windows">Windows of a batch.</param>
    /// <param name="length">Tokens of a window.</param>
    /// <param name="threads">0 for one per processor.</param>
    public static Result Measure(MambaLanguageModel model, int windows, int length, int threads)
    {
        using TrainingPass pass = new(model.Config, threads);
        using Gradients gradients = new(model);
        using AdamW optimizer = new(model);
        Random random = new(1);
        double[] speeds = new double[Rounds];
        for (int round = -1; round < Rounds; round++)
        {
            int[][] documents = [.. Enumerable.Range(0, windows).Select(_ => Enumerable.Range(0, length + 1).Select(_ => random.Next(model.Config.VocabSize)).ToArray())];
            TrainingBatch batch = TrainingBatch.OfDocuments(documents);
            long start = Stopwatch.GetTimestamp();
            gradients.Clear();
            pass.Run(model, batch, gradients);
            optimizer.Step(gradients, 1e-3, pass);

            // The first round does not count: code is compiled and memory touched in it.
            if (round >= 0)
            {
                speeds[round] = windows * length / Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        }

        using Process process = Process.GetCurrentProcess();
        long memory = process.PeakWorkingSet64;

        // Other load lowers the measured peak and would make the share look better, so the greatest of several measurements counts.
        double peak = Enumerable.Range(0, PeakRounds).Max(_ => MachineLimits.Measure(threads).FmaGigaflopsPerSecond);
        double share = 6.0 * model.Config.ParameterCount * speeds.Max() / 1e9 / peak;
        return new(pass.Threads, speeds, peak, share, memory, model.Config.ParameterCount);
    }

    public static void Print(TextWriter output, Result result, bool asJson)
    {
        if (asJson)
        {
            JsonOutput.Write(output, json =>
            {
                json.WriteNumber("threads", result.Threads);
                json.WriteNumber("train", result.Speeds.Max());
                json.WriteNumber("train_worst", result.Speeds.Min());
                json.WriteNumber("train_fma_share", result.Share);
                json.WriteNumber("fma_gflop_s", result.Peak);
                json.WriteNumber("peak_bytes", result.Memory);
                json.WriteNumber("parameters", result.Parameters);
            });
            return;
        }

        double extra = (result.Memory - (16.0 * result.Parameters)) / 1e6;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"train {result.Speeds.Max():F1} tokens/s (worst of {Rounds}: {result.Speeds.Min():F1}), {result.Share:P1} of {result.Peak:F0} GFLOP/s; {result.Memory / 1e6:F0} MB at most, 16 bytes for each parameter and {extra:F0} MB"));
    }

    internal sealed record Result(int Threads, double[] Speeds, double Peak, double Share, long Memory, long Parameters);
}
