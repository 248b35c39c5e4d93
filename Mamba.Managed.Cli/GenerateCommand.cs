using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba generate [MODEL] --prompt TEXT</c>: streams the continuation of a text.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        Argument<string> model = Options.Model();
        Option<string> prompt = new("--prompt") { Description = "The text to continue; without it, that of --prompt-file or of standard input." };
        Option<string> promptFile = new("--prompt-file") { Description = "A file or pipe with the text to continue, in UTF-8." };
        Option<int> maxTokens = Options.Number("--max-tokens", "Most tokens to generate.", 400, 1, int.MaxValue);
        Option<float> temperature = Options.Number("--temperature", "0 takes the most likely token; higher values are more random.", 0.8f, 0, 1e6f);
        Option<int> topK = Options.Number("--top-k", "Keep this many of the most likely tokens; 0 keeps all.", 0, 0, int.MaxValue);
        Option<float> topP = Options.Number("--top-p", "Keep the fewest tokens with this probability together.", 1f, 1e-6f, 1);
        Option<float> minP = Options.Number("--min-p", "Keep tokens with at least this share of the best one's probability.", 0f, 0, 1);
        Option<float> repetition = Options.Number("--repetition-penalty", "Above 1, tokens that occur in the text become less likely.", 1f, 1e-3f, 1e3f);
        Option<ulong> seed = Options.Number<ulong>("--seed", "The same seed gives the same text.", 1, 0, ulong.MaxValue);
        Option<string[]> stop = new("--stop") { Description = "End before this text; may be given several times." };
        Option<bool> control = new("--control-tokens") { Description = "Control tokens written in the prompt, such as <|im_end|>, are such; without it they are text." };
        Option<int> threads = Options.Threads();
        Option<bool> json = Options.Json();
        Command command = new("generate", "Continue a text.")
        {
            model, prompt, promptFile, maxTokens, temperature, topK, topP, minP, repetition, seed, stop, control, threads, json,
        };
        Option<string> device = DeviceOption.AddTo(command, threads);
        command.Validators.Add(result =>
        {
            bool isText = result.GetResult(prompt) is not null, isFile = result.GetResult(promptFile) is not null;
            if (isText && isFile)
            {
                result.AddError("expected one of --prompt and --prompt-file, found both");
            }
            else if (!isText && !isFile && !Console.IsInputRedirected)
            {
                result.AddError("expected --prompt, --prompt-file or text on standard input, found none");
            }
        });
        command.SetAction((parsed, cancel) =>
        {
            GenerationOptions options = new()
            {
                MaxTokens = parsed.GetValue(maxTokens),
                Temperature = parsed.GetValue(temperature),
                TopK = parsed.GetValue(topK),
                TopP = parsed.GetValue(topP),
                MinP = parsed.GetValue(minP),
                RepetitionPenalty = parsed.GetValue(repetition),
                Seed = parsed.GetValue(seed),
                Stop = parsed.GetValue(stop) ?? [],
            };
            string text = parsed.GetValue(prompt) ?? TextInput.Prompt(parsed.GetValue(promptFile));
            string path = Options.ModelOf(parsed, model);
            return RunAsync(parsed, () => Load(parsed, device, path, options, parsed.GetValue(threads), parsed.GetValue(control)), text, parsed.GetValue(json), cancel);
        });
        return command;
    }

    private static async Task<int> RunAsync(
        ParseResult parsed, Func<LoadedGenerator> load, string prompt, bool asJson, CancellationToken cancel)
    {
        (TextWriter output, TextWriter report) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);

        using LoadedGenerator loaded = load();
        TextGenerator generator = loaded.Generator;
        if (asJson)
        {
            GenerationResult result = await generator.GenerateAsync(prompt, cancel).ConfigureAwait(false);
            JsonOutput.Write(output, json => WriteResult(json, result));
            return 0;
        }

        // A model generates what it was trained on, which may command a terminal; a file or a pipe gets the text as it is.
        Func<string, string> shown = Terminal.Is(output) ? Terminal.Escape : text => text;
        await output.WriteAsync(shown(prompt)).ConfigureAwait(false);
        GenerationSummary? summary = null;
        await foreach (GeneratedToken token in generator.StreamAsync(prompt, cancel).ConfigureAwait(false))
        {
            await output.WriteAsync(shown(token.Text)).ConfigureAwait(false);
            await output.FlushAsync(cancel).ConfigureAwait(false);
            summary = token.Summary;
        }

        await output.WriteLineAsync().ConfigureAwait(false);
        await report.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"prompt: {summary!.PromptTokens} tokens, {summary.PromptTokensPerSecond:F1} tokens/s; generation: {summary.GeneratedTokens} tokens, {summary.GeneratedTokensPerSecond:F1} tokens/s")).ConfigureAwait(false);
        return 0;
    }

    private static LoadedGenerator Load(ParseResult parsed, Option<string> device, string path, GenerationOptions options, int threads, bool control)
    {
        if (DeviceOption.IsProcessor(parsed, device))
        {
            TextGenerator generator = TextGenerator.Load(path, options, threads);
            generator.ControlTokens = control;
            return new(generator, null);
        }

        using ModelSource source = ModelSource.Open(path);

        // The tokenizer is loaded while the weights are copied.
        Task<Tokenizer> tokenizer = Task.Run(() => source.Tokenizer);
        IMambaExecutor executor = DeviceOption.CreateExecutor(parsed, device, threads, source.Model);
        try
        {
            return new(new TextGenerator(executor, tokenizer.GetAwaiter().GetResult(), options) { ControlTokens = control }, executor);
        }
        catch
        {
            executor.Dispose();
            throw;
        }
    }

    private static void WriteResult(Utf8JsonWriter json, GenerationResult result)
    {
        json.WriteString("text", result.Text);
        json.WriteStartArray("tokens");
        foreach (int token in result.Tokens)
        {
            json.WriteNumberValue(token);
        }

        json.WriteEndArray();
        json.WriteString("finish_reason", result.FinishReason switch
        {
            FinishReason.Length => "length",
            FinishReason.Stop => "stop",
            _ => "end_token",
        });
        json.WriteNumber("prompt_tokens", result.Summary.PromptTokens);
        json.WriteNumber("generated_tokens", result.Summary.GeneratedTokens);
        json.WriteNumber("prompt_tokens_per_second", result.Summary.PromptTokensPerSecond);
        json.WriteNumber("generated_tokens_per_second", result.Summary.GeneratedTokensPerSecond);
    }

    /// <summary>A generator, and the executor that it does not own.</summary>
    private sealed record LoadedGenerator(TextGenerator Generator, IMambaExecutor? Executor) : IDisposable
    {
        public void Dispose()
        {
            Generator.Dispose();
            Executor?.Dispose();
        }
    }
}
