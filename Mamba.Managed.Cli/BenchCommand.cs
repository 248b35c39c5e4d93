using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba bench [MODEL]</c> or <c>--shape 130m</c>: speed, beside what the machine can do at most.</summary>
internal static class BenchCommand
{
    private const int PromptLength = 512;
    private const int GeneratedLength = 64;
    private const int Rounds = 3;

    public static Command Create()
    {
        Argument<string> model = Options.Model();
        Option<string> shape = new Option<string>("--shape") { Description = "Random weights of a published shape, no file needed." }.AcceptOnlyFromAmong(Shapes.Names);
        Option<int> threads = Options.Threads();
        Option<string> type = new Option<string>("--type") { Description = "How weights are held.", DefaultValueFactory = _ => "f32" }.AcceptOnlyFromAmong("f32");
        Option<bool> json = Options.Json();
        Option<bool> train = new("--train") { Description = "Measure training steps instead." };
        Option<int> batch = Options.Number("--batch", "Windows of a training batch.", 4, 1, 1 << 16);
        Option<int> length = Options.Number("--length", "Tokens of a training window.", 128, 1, 1 << 20);
        Command command = new("bench", "Measure prompt and generation speed, or that of training, and what this machine allows.")
        {
            model, shape, threads, type, json, train, batch, length,
        };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(train))
            {
                MambaLanguageModel trained = parsed.GetValue(shape) is { } chosen
                    ? MambaLanguageModel.Create(Shapes.Of(chosen), 1)
                    : Weights.Copy(ModelConversion.Load(parsed.GetValue(model)!));
                TrainingBench.Result measured = TrainingBench.Measure(trained, parsed.GetValue(batch), parsed.GetValue(length), parsed.GetValue(threads));
                TrainingBench.Print(parsed.InvocationConfiguration.Output, measured, parsed.GetValue(json));
                return;
            }

            string? name = parsed.GetValue(shape);
            int count = parsed.GetValue(threads);
            using CpuExecutor executor = name is null ? CpuExecutor.Load(parsed.GetValue(model)!, count) : new(MambaLanguageModel.Create(Shapes.Of(name), 1), count);
            Result result = Measure(executor);
            Print(parsed.InvocationConfiguration.Output, result, parsed.GetValue(json));
        });
        return command;
    }

    private static Result Measure(CpuExecutor executor)
    {
        MambaConfig config = executor.Config;
        MambaState state = executor.CreateState();
        float[] logits = new float[config.VocabSize];
        Random random = new(1);
        int[] tokens = [.. Enumerable.Range(0, PromptLength).Select(_ => random.Next(config.VocabSize))];

        // Code is compiled to its final form before anything counts.
        executor.Prefill(tokens, state, logits);
        Decode(executor, state, tokens, logits);
        double[] prompt = new double[Rounds], generation = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            state.Clear();
            long start = Stopwatch.GetTimestamp();
            executor.Prefill(tokens, state, logits);
            prompt[round] = PromptLength / Stopwatch.GetElapsedTime(start).TotalSeconds;
            start = Stopwatch.GetTimestamp();
            Decode(executor, state, tokens, logits);
            generation[round] = GeneratedLength / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        MachineLimits limits = MachineLimits.Measure(executor.Threads);
        double head = (double)config.VocabSize * config.DModel;
        double body = config.ParameterCount - (head * (config.TieEmbeddings ? 1 : 2));
        double flops = 2 * ((body * PromptLength) + head) / PromptLength;
        return new(executor.Threads, prompt, generation, limits, prompt.Max() * flops / 1e9 / limits.FmaGigaflopsPerSecond, generation.Max() * executor.StepBytes / 1e9 / limits.ReadGigabytesPerSecond);
    }

    private static void Decode(CpuExecutor executor, MambaState state, int[] tokens, float[] logits)
    {
        for (int i = 0; i < GeneratedLength; i++)
        {
            executor.Prefill(tokens.AsSpan(i, 1), state, logits);
        }
    }

    private static void Print(TextWriter output, Result result, bool asJson)
    {
        if (asJson)
        {
            JsonOutput.Write(output, json =>
            {
                json.WriteNumber("threads", result.Threads);
                json.WriteNumber("pp512", result.Prompt.Max());
                json.WriteNumber("pp512_worst", result.Prompt.Min());
                json.WriteNumber("tg64", result.Generation.Max());
                json.WriteNumber("tg64_worst", result.Generation.Min());
                json.WriteNumber("read_gb_s", result.Limits.ReadGigabytesPerSecond);
                json.WriteNumber("fma_gflop_s", result.Limits.FmaGigaflopsPerSecond);
                json.WriteNumber("pp512_fma_share", result.FmaShare);
                json.WriteNumber("tg64_read_share", result.ReadShare);
            });
            return;
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"threads {result.Threads}: {result.Limits.FmaGigaflopsPerSecond:F0} GFLOP/s of multiply-adds, {result.Limits.ReadGigabytesPerSecond:F1} GB/s read"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"pp512 {result.Prompt.Max():F1} tokens/s (worst of {Rounds}: {result.Prompt.Min():F1}), {result.FmaShare:P1} of the multiply-adds"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"tg64  {result.Generation.Max():F1} tokens/s (worst of {Rounds}: {result.Generation.Min():F1}), {result.ReadShare:P1} of the read bandwidth"));
    }

    private sealed record Result(int Threads, double[] Prompt, double[] Generation, MachineLimits Limits, double FmaShare, double ReadShare);
}
