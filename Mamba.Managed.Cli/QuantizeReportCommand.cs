using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tokenizers;
using Spectre.Console;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba quantize-report [MODEL] --file F</c>: the cost of each type for each matrix, recommended types, and the model in them.</summary>
internal static class QuantizeReportCommand
{
    private static readonly Dictionary<string, ElementType> names = QuantizationStudy.Types.ToDictionary(NameOf);

    public static Command Create()
    {
        Argument<string> model = Options.Model();
        Option<string> file = new("--file") { Description = "The text, in UTF-8.", Required = true };
        Option<long> offset = Options.Number("--offset", "First byte of the file to read.", 0L, 0, long.MaxValue);
        Option<long> length = Options.Number("--length", "Bytes to read at most; 0 for the rest.", 4096L, 0, int.MaxValue);
        Option<int> window = Options.Number("--window", "Tokens that the model sees together; the first of them is context only.", 2048, 2, int.MaxValue);
        Option<string[]> types = new Option<string[]>("--types") { Description = "Candidates; all that fit when left out.", AllowMultipleArgumentsPerToken = true }.AcceptOnlyFromAmong([.. names.Keys]);
        Option<double> budget = Options.Number("--budget", "Nats per token that the recommended types may cost together.", 0.01, 0, 1e6);
        Option<string?> output = new("--output") { Description = "GGUF file to write, with the model in the recommended types." };
        Option<int> threads = Options.Threads();
        Option<bool> json = Options.Json();
        Command command = new("quantize-report", "Measure what each tensor loses in each type, and recommend types.")
        {
            model, file, offset, length, window, types, budget, output, threads, json,
        };
        command.SetAction((parsed, cancel) =>
        {
            string path = Options.ModelOf(parsed, model), textPath = parsed.GetValue(file)!;
            string? destination = parsed.GetValue(output);
            RequireFile(destination);
            (long start, long count) = (parsed.GetValue(offset), parsed.GetValue(length));
            byte[] text = TextInput.Read(textPath, start, count, isMost: true);
            using ModelSource source = ModelSource.Open(path);
            int[] tokens = TextInput.Tokens(source.Tokenizer, text);
            ElementType[]? candidates = parsed.GetValue(types) is { Length: > 0 } chosen ? [.. chosen.Distinct().Select(name => names[name])] : null;
            using QuantizationStudy study = new(source.Model, tokens, parsed.GetValue(window), parsed.GetValue(threads), cancel);
            QuantizationReport report = ProgressBar.Run(parsed.InvocationConfiguration.Error, "tensors", progress => study.Run(candidates, progress, cancel));
            QuantizationChoice choice = report.Recommend(parsed.GetValue(budget));
            choice = choice with { MeasuredNats = study.Measure(choice.Types, cancel) };
            TextWriter console = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(console, writer => Write(writer, report, choice));
            }
            else
            {
                Print(console, report, choice);
            }

            if (destination is not null)
            {
                ModelConversion.ToGguf(path, destination, WeightTypes.Of(NameOf(MostOf(report, choice))), threads: parsed.GetValue(threads), matrices: choice.Types);
            }

            return Task.FromResult(0);
        });
        return command;
    }

    // Checked first, since the measurement may take an hour.
    private static void RequireFile(string? destination)
    {
        if (destination is null)
        {
            return;
        }

        if (!destination.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
        {
            throw new ArgumentException($"--output {destination}: expected a name that ends in .gguf");
        }

        if (Path.GetDirectoryName(Path.GetFullPath(destination)) is { } folder && !Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"--output {destination}: expected a folder that exists, found no {folder}");
        }
    }

    // The type of most weights, for the file's general.file_type.
    private static ElementType MostOf(QuantizationReport report, QuantizationChoice choice) =>
        report.Tensors.GroupBy(tensor => choice.Types[tensor.Name]).MaxBy(group => group.Sum(tensor => tensor.Tensor.Count))!.Key;

    private static void Write(Utf8JsonWriter json, QuantizationReport report, QuantizationChoice choice)
    {
        json.WriteNumber("nats_per_token", report.Baseline.NatsPerToken);
        json.WriteNumber("tokens_scored", report.Baseline.Tokens);
        json.WriteStartArray("tensors");
        foreach (QuantizedTensor tensor in report.Tensors)
        {
            json.WriteStartObject();
            json.WriteString("name", tensor.Name);
            json.WriteString("type", NameOf(tensor.Tensor.Type));
            json.WriteNumber("bytes", tensor.Tensor.ByteLength);
            json.WriteString("recommended", NameOf(choice.Types[tensor.Name]));
            json.WriteStartArray("candidates");
            foreach (QuantizationCandidate candidate in tensor.Candidates)
            {
                json.WriteStartObject();
                json.WriteString("type", NameOf(candidate.Type));
                json.WriteNumber("bytes", candidate.Bytes);
                json.WriteNumber("relative_error", candidate.RelativeError);
                json.WriteNumber("nats_per_token", candidate.NatsPerToken);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("recommendation");
        json.WriteNumber("bytes", choice.Bytes);
        json.WriteNumber("bytes_now", report.Tensors.Sum(tensor => tensor.Tensor.ByteLength));
        json.WriteNumber("expected_nats_per_token", choice.ExpectedNats);
        json.WriteNumber("measured_nats_per_token", choice.MeasuredNats);
        json.WriteEndObject();
    }

    // Two numbers in a cell: the error in percent, and the change in thousandths of a nat per token.
    private static void Print(TextWriter output, QuantizationReport report, QuantizationChoice choice)
    {
        ElementType[] types = [.. QuantizationStudy.Types.Where(type => report.Tensors.Any(tensor => tensor.Candidates.Any(c => c.Type == type)))];
        Table table = new Table().AddColumns([.. types.Select(NameOf).Prepend("is").Prepend("tensor").Append("take")]);
        foreach (QuantizedTensor tensor in report.Tensors)
        {
            IEnumerable<string> cells = types.Select(type => tensor.Candidates.FirstOrDefault(c => c.Type == type) is { } found
                ? string.Create(CultureInfo.InvariantCulture, $"{100 * found.RelativeError:F2}\n{1000 * found.NatsPerToken:+0.00;-0.00;0.00}")
                : "");
            string name = tensor.Name.Replace("backbone.", "", StringComparison.Ordinal).Replace(".weight", "", StringComparison.Ordinal);
            table.AddRow([Markup.Escape(name), NameOf(tensor.Tensor.Type), .. cells, NameOf(choice.Types[tensor.Name])]);
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });

        // Pipes and files have no width: the table must not be wrapped to the default.
        console.Profile.Width = Math.Max(console.Profile.Width, Console.IsOutputRedirected || !ReferenceEquals(output, Console.Out) ? 200 : 0);
        console.Write(table);
        long now = report.Tensors.Sum(tensor => tensor.Tensor.ByteLength);
        output.WriteLine("Each cell: relative error of the tensor in percent; change in thousandths of a nat per token with that tensor alone in the type.");
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"As it is {report.Baseline.NatsPerToken:F5} nats/token over {report.Baseline.Tokens} tokens, {now / 1e6:F2} MB of matrices. With the types of the last column {choice.Bytes / 1e6:F2} MB: {choice.ExpectedNats:+0.00000;-0.00000;0.00000} nats/token expected, {choice.MeasuredNats:+0.00000;-0.00000;0.00000} measured."));
    }

    private static string NameOf(ElementType type) => type switch
    {
        ElementType.Float32 => "f32",
        ElementType.Float16 => "f16",
        ElementType.BFloat16 => "bf16",
        _ => type.ToString().ToLowerInvariant(),
    };
}
