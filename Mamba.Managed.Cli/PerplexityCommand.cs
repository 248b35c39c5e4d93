using System.CommandLine;
using System.Globalization;
using System.Numerics.Tensors;
using System.Text;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;
using Spectre.Console;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba perplexity [MODEL] --file F</c>: how well a model foretells a text.</summary>
internal static class PerplexityCommand
{
    // Rows of logits held at once.
    private const int Chunk = 128;

    public static Command Create()
    {
        Argument<string> model = Options.Model();
        Option<string> file = new("--file") { Description = "The text, in UTF-8.", Required = true };
        Option<long> offset = Options.Number("--offset", "First byte of the file to read.", 0L, 0, long.MaxValue);
        Option<long> length = Options.Number("--length", "Bytes to read; 0 for the rest.", 0L, 0, int.MaxValue);
        Option<int> window = Options.Number("--window", "Tokens that the model sees together; the first of them is context only.", 2048, 2, int.MaxValue);
        Option<int> threads = Options.Threads();
        Option<bool> json = Options.Json();
        Command command = new("perplexity", "Measure how well a model foretells a text.") { model, file, offset, length, window, threads, json };
        command.SetAction((parsed, cancel) =>
        {
            byte[] text = Read(parsed.GetValue(file)!, parsed.GetValue(offset), parsed.GetValue(length));
            string path = parsed.GetValue(model)!;
            using CpuExecutor executor = CpuExecutor.Load(path, parsed.GetValue(threads));
            Tokenizer tokenizer = Tokenizer.Load(path, executor.Config);
            int[] tokens = tokenizer is ByteTokenizer ? [.. text.Select(b => (int)b)] : tokenizer.Encode(Encoding.UTF8.GetString(text));
            if (tokens.Length < 2)
            {
                throw new InvalidDataException("expected at least two tokens of text, found fewer; the first is context only");
            }

            TextWriter error = parsed.InvocationConfiguration.Error;
            Score score = WithProgress(error, tokens.Length, advance => Measure(executor, tokenizer, tokens, parsed.GetValue(window), advance, cancel));
            Print(parsed.InvocationConfiguration.Output, score, parsed.GetValue(json));
            return Task.FromResult(0);
        });
        return command;
    }

    private static Score Measure(CpuExecutor executor, Tokenizer tokenizer, int[] tokens, int window, Action<int> advance, CancellationToken cancel)
    {
        int vocabulary = executor.Config.VocabSize;
        float[] logits = new float[Chunk * vocabulary];
        Score score = default;
        MambaState state = executor.CreateState();
        for (int start = 0; start < tokens.Length - 1; start += window)
        {
            state.Clear();
            int end = Math.Min(start + window, tokens.Length);
            for (int at = start; at < end - 1; at += Chunk)
            {
                cancel.ThrowIfCancellationRequested();
                int rows = Math.Min(Chunk, end - 1 - at);
                executor.Prefill(tokens.AsSpan(at, rows), state, logits.AsSpan(0, rows * vocabulary), cancel);
                for (int row = 0; row < rows; row++)
                {
                    int next = tokens[at + row + 1];
                    score = score.Add(NegativeLogLikelihood(logits.AsSpan(row * vocabulary, vocabulary), next), tokenizer.BytesOf(next).Length);
                }

                advance(rows);
            }
        }

        return score;
    }

    private static double NegativeLogLikelihood(ReadOnlySpan<float> logits, int token)
    {
        float max = TensorPrimitives.Max(logits);
        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - max);
        }

        return Math.Log(sum) + max - logits[token];
    }

    private static byte[] Read(string path, long offset, long length)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read);
        if (offset >= file.Length || length > file.Length - offset)
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture, $"{path}: expected --offset and --length within its {file.Length} bytes, found {offset} and {length}"));
        }

        long count = length == 0 ? file.Length - offset : length;
        if (count > Array.MaxLength)
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{path}: expected at most {Array.MaxLength} bytes at once, found {count}; give --length"));
        }

        byte[] text = new byte[count];
        file.Position = offset;
        file.ReadExactly(text);
        return text;
    }

    // A bar only where a person looks at it: pipes and logs get the result alone.
    private static Score WithProgress(TextWriter error, int total, Func<Action<int>, Score> measure)
    {
        if (Console.IsErrorRedirected || !ReferenceEquals(error, Console.Error))
        {
            return measure(_ => { });
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(error) });
        return console.Progress().AutoClear(true).Start(progress =>
        {
            ProgressTask task = progress.AddTask("tokens", maxValue: total);
            return measure(rows => task.Increment(rows));
        });
    }

    private static void Print(TextWriter output, Score score, bool asJson)
    {
        if (asJson)
        {
            JsonOutput.Write(output, json =>
            {
                json.WriteNumber("nats_per_token", score.PerToken);
                json.WriteNumber("nats_per_byte", score.PerByte);
                json.WriteNumber("perplexity", Math.Exp(score.PerToken));
                json.WriteNumber("tokens_scored", score.Tokens);
            });
        }
        else
        {
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{score.PerToken:F5} nats/token, {score.PerByte:F5} nats/byte, perplexity {Math.Exp(score.PerToken):F4}, {score.Tokens} tokens scored"));
        }
    }

    private readonly record struct Score(double Nats, int Tokens, long Bytes)
    {
        public double PerToken => Nats / Tokens;

        public double PerByte => Bytes == 0 ? 0 : Nats / Bytes;

        public Score Add(double nats, int bytes) => new(Nats + nats, Tokens + 1, Bytes + bytes);
    }
}
