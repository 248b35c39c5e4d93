using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using System.Text;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba generate [MODEL] --prompt TEXT</c>: streams the continuation of a text by a byte-level model.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        Argument<string> model = new("MODEL")
        {
            Description = "Model folder; the Shakespeare model that comes with the command when left out.",
            DefaultValueFactory = _ => Path.Combine(AppContext.BaseDirectory, "DefaultModel"),
        };
        Option<string> prompt = new("--prompt") { Description = "The text to continue.", Required = true };
        Option<int> maxTokens = new("--max-tokens") { Description = "Tokens to generate.", DefaultValueFactory = _ => 400 };
        Option<float> temperature = new("--temperature") { Description = "0 takes the most likely token.", DefaultValueFactory = _ => 0.8f };
        Option<int> seed = new("--seed") { Description = "The same seed gives the same text.", DefaultValueFactory = _ => 1 };
        Option<int> threads = new("--threads") { Description = "Threads that compute; 0 for one per processor." };
        Command command = new("generate", "Continue a text.") { model, prompt, maxTokens, temperature, seed, threads };
        command.SetAction(parsed => Run(
            parsed.GetValue(model)!,
            parsed.GetValue(prompt)!,
            parsed.GetValue(maxTokens),
            parsed.GetValue(temperature),
            parsed.GetValue(seed),
            parsed.GetValue(threads),
            parsed.InvocationConfiguration.Output,
            parsed.InvocationConfiguration.Error));
        return command;
    }

    private static int Run(string folder, string prompt, int maxTokens, float temperature, int seed, int threads, TextWriter output, TextWriter report)
    {
        if (prompt.Length == 0)
        {
            throw new ArgumentException("--prompt: expected some text, found none");
        }

        if (!(temperature >= 0 && temperature < 100))
        {
            throw new ArgumentException("--temperature: expected 0 or a positive number below 100");
        }

        using CpuExecutor executor = new(Checkpoint.Load(folder), threads);
        if (executor.Config.VocabSize != 256)
        {
            throw new InvalidDataException($"{folder}: expected a byte-level model with a vocabulary of 256, found {executor.Config.VocabSize}");
        }

        int[] tokens = [.. Encoding.UTF8.GetBytes(prompt).Select(b => (int)b)];
        MambaState state = executor.CreateState();
        float[] logits = new float[executor.Config.VocabSize];
        long started = Stopwatch.GetTimestamp();
        executor.Prefill(tokens, state, logits);
        double read = Stopwatch.GetElapsedTime(started).TotalSeconds;

        output.Write(prompt);
        Random random = new(seed);
        Decoder decoder = Encoding.UTF8.GetDecoder();
        char[] text = new char[4];
        started = Stopwatch.GetTimestamp();
        for (int i = 0; i < maxTokens; i++)
        {
            int token = Choose(logits, temperature, random);
            output.Write(text, 0, decoder.GetChars([(byte)token], text, flush: false));
            executor.Prefill([token], state, logits);
        }

        double generated = Stopwatch.GetElapsedTime(started).TotalSeconds;
        output.WriteLine();
        report.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"prompt {tokens.Length / read:F1} tokens/s, generation {maxTokens / generated:F1} tokens/s"));
        return 0;
    }

    private static int Choose(float[] logits, float temperature, Random random)
    {
        if (temperature == 0)
        {
            return TensorPrimitives.IndexOfMax<float>(logits);
        }

        TensorPrimitives.Divide(logits, temperature, logits);
        TensorPrimitives.SoftMax<float>(logits, logits);
        float rest = random.NextSingle();
        for (int token = 0; token < logits.Length; token++)
        {
            rest -= logits[token];
            if (rest < 0)
            {
                return token;
            }
        }

        return TensorPrimitives.IndexOfMax<float>(logits);
    }
}
