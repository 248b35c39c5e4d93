using System.CommandLine;
using System.Globalization;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Execution;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba perplexity [MODEL] --file F</c>: how well a model predicts a text.</summary>
internal static class PerplexityCommand
{
    public static Command Create()
    {
        Argument<string> model = Options.Model();
        Option<string> file = new("--file") { Description = "The text, in UTF-8.", Required = true };
        Option<long> offset = Options.Number("--offset", "First byte of the file to read.", 0L, 0, long.MaxValue);
        Option<long> length = Options.Number("--length", "Bytes to read; 0 for the rest.", 0L, 0, int.MaxValue);
        Option<int> window = Options.Number("--window", "Tokens that the model sees together; the first of them is context only.", 2048, 2, int.MaxValue);
        Option<int> threads = Options.Threads();
        Option<bool> json = Options.Json();
        Command command = new("perplexity", "Measure how well a model predicts a text.") { model, file, offset, length, window, threads, json };
        Option<string> device = DeviceOption.AddTo(command, threads);
        command.SetAction((parsed, cancel) =>
        {
            byte[] text = TextInput.Read(parsed.GetValue(file)!, parsed.GetValue(offset), parsed.GetValue(length));
            string path = Options.ModelOf(parsed, model);
            int size = parsed.GetValue(window);
            using ModelSource source = ModelSource.Open(path);
            using IMambaExecutor executor = DeviceOption.CreateExecutor(parsed, device, parsed.GetValue(threads), source.Model);
            Tokenizer tokenizer = source.Tokenizer;
            int[] tokens = TextInput.Tokens(tokenizer, text);
            Likelihood likelihood = ProgressBar.Run(parsed.InvocationConfiguration.Error, "tokens", progress => Likelihood.Measure(
                executor, tokens, size, new Listener<int>(done => progress.Report(("tokens", done / (double)tokens.Length))), cancel));
            long bytes = tokens.Where((_, i) => i % size != 0).Sum(token => (long)tokenizer.BytesOf(token).Length);
            Score score = new(likelihood, bytes);
            Print(parsed.InvocationConfiguration.Output, score, parsed.GetValue(json));
            return Task.FromResult(0);
        });
        return command;
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

    private readonly record struct Score(Likelihood Likelihood, long Bytes)
    {
        public int Tokens => Likelihood.Tokens;

        public double PerToken => Likelihood.NatsPerToken;

        public double PerByte => Bytes == 0 ? 0 : Likelihood.Nats / Bytes;
    }
}
