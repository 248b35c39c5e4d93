using System.CommandLine;
using System.Globalization;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Spectre.Console;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba info [MODEL]</c>: a model's architecture, sizes and tokenizer.</summary>
internal static class InfoCommand
{
    public static Command Create()
    {
        Argument<string> model = Options.Model();
        Option<bool> json = Options.Json();
        Option<bool> devices = new("--devices") { Description = "Show the devices of this machine that --device selects instead." };
        Command command = new("info", "Show a model's architecture, sizes and tokenizer.") { model, json, devices };
        command.Validators.Add(result =>
        {
            if (result.GetValue(devices) && result.GetResult(model) is { Tokens.Count: > 0 })
            {
                result.AddError("expected one of MODEL and --devices, found both");
            }
        });
        command.SetAction(parsed =>
        {
            TextWriter output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(devices))
            {
                WriteDevices(output, DevicePlugin.Load().Devices, parsed.GetValue(json));
                return;
            }

            Dictionary<string, object> facts = Describe(Options.ModelOf(parsed, model));
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(output, writer =>
                {
                    foreach ((string name, object value) in facts)
                    {
                        switch (value)
                        {
                            case long number: writer.WriteNumber(name, number); break;
                            case bool flag: writer.WriteBoolean(name, flag); break;
                            default: writer.WriteString(name, value.ToString()); break;
                        }
                    }
                });
                return;
            }

            Table table = new Table().AddColumn("what").AddColumn("value").HideHeaders();
            foreach ((string name, object value) in facts)
            {
                table.AddRow(Markup.Escape(name), Markup.Escape(value is long number ? number.ToString("N0", CultureInfo.InvariantCulture) : Terminal.Line(value.ToString()!)));
            }

            AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) }).Write(table);
        });
        return command;
    }

    private static void WriteDevices(TextWriter output, IReadOnlyList<ComputeDevice> devices, bool asJson)
    {
        if (!asJson)
        {
            output.WriteLine($"{DeviceOption.Processor}: this machine's processor, with {CpuExecutor.InstructionSet}");
            foreach (ComputeDevice device in devices)
            {
                output.WriteLine($"{device.Id}: {Terminal.Line(device.Description)}");
            }

            return;
        }

        JsonOutput.Write(output, json =>
        {
            json.WriteStartArray("devices");
            foreach (ComputeDevice device in devices)
            {
                json.WriteStartObject();
                json.WriteString("id", device.Id);
                json.WriteString("description", device.Description);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    private static Dictionary<string, object> Describe(string path)
    {
        using ModelSource source = ModelSource.Open(path);
        MambaLanguageModel model = source.Model;
        MambaConfig config = model.Config;
        var parameters = model.Parameters();
        IEnumerable<string> types = parameters.GroupBy(p => p.Value.Type).OrderByDescending(g => g.Count())
            .Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Key} ({g.Count()} tensors)"));
        string tokenizer;
        try
        {
            tokenizer = source.Tokenizer.ToString();
        }
        catch (Exception error) when (error is FileNotFoundException or InvalidDataException)
        {
            tokenizer = "none: " + error.Message;
        }

        return new()
        {
            ["model"] = path,
            ["architecture"] = config.MixerNormEpsilon is null ? "mamba" : "falcon_mamba",
            ["d_model"] = (long)config.DModel,
            ["n_layer"] = (long)config.NLayer,
            ["vocab_size"] = (long)config.VocabSize,
            ["d_inner"] = (long)config.DInner,
            ["d_state"] = (long)config.DState,
            ["d_conv"] = (long)config.DConv,
            ["dt_rank"] = (long)config.DtRank,
            ["tied_head"] = config.TieEmbeddings,
            ["parameters"] = config.ParameterCount,
            ["types"] = string.Join(", ", types),
            ["weight_bytes"] = parameters.Sum(p => p.Value.ByteLength),
            ["file_bytes"] = source.WeightPaths.Sum(file => new FileInfo(file).Length),
            ["parts"] = (long)source.WeightPaths.Count,
            ["tokenizer"] = tokenizer,
            ["state_bytes_per_session"] = StateLayout.Of(config).Length(0) * sizeof(float),
            ["instruction_set"] = CpuExecutor.InstructionSet,
        };
    }
}
