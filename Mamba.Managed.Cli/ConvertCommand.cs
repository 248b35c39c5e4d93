using System.CommandLine;
using Mamba.Managed.Checkpoints;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba convert SRC DST --type T</c>: between folders and GGUF files.</summary>
internal static class ConvertCommand
{
    public static Command Create()
    {
        Argument<string> source = new("SRC") { Description = "Model folder or GGUF file." };
        Argument<string> destination = new("DST") { Description = "A name that ends in .gguf is a GGUF file, any other a folder." };
        Option<string> type = new Option<string>("--type") { Description = "How weights are stored.", DefaultValueFactory = _ => "f16" }.AcceptOnlyFromAmong(WeightTypes.Names);
        Option<int> threads = Options.Threads();
        Command command = new("convert", "Write a model in another type or file format.") { source, destination, type, threads };
        command.SetAction(parsed =>
        {
            ConversionResult result = Convert(parsed.GetValue(source)!, parsed.GetValue(destination)!, parsed.GetValue(type)!, parsed.GetValue(threads));
            if (result.LeftBehind.Count > 0)
            {
                parsed.InvocationConfiguration.Error.WriteLine(Terminal.Line($"{parsed.GetValue(source)}: left behind: {string.Join(", ", result.LeftBehind)}"));
            }
        });
        return command;
    }

    private static ConversionResult Convert(string source, string destination, string type, int threads) => destination.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase)
        ? ModelConversion.ToGguf(source, destination, WeightTypes.Of(type), threads: threads)
        : ModelConversion.ToFolder(source, destination, WeightTypes.OfFolder(type), threads);
}
