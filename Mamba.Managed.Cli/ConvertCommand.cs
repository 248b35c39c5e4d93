using System.CommandLine;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba convert SRC DST --type T</c>: between folders and GGUF files.</summary>
internal static class ConvertCommand
{
    private static readonly Dictionary<string, (GgufFileType Gguf, ElementType? Folder)> types = new()
    {
        ["f32"] = (GgufFileType.F32, ElementType.Float32),
        ["f16"] = (GgufFileType.F16, ElementType.Float16),
        ["bf16"] = (GgufFileType.BF16, ElementType.BFloat16),
        ["q8_0"] = (GgufFileType.Q8_0, null),
        ["q4_0"] = (GgufFileType.Q4_0, null),
        ["q4_k_m"] = (GgufFileType.Q4_K_M, null),
        ["q5_k_m"] = (GgufFileType.Q5_K_M, null),
        ["q6_k"] = (GgufFileType.Q6_K, null),
    };

    public static Command Create()
    {
        Argument<string> source = new("SRC") { Description = "Model folder or GGUF file." };
        Argument<string> destination = new("DST") { Description = "A name that ends in .gguf is a GGUF file, any other a folder." };
        Option<string> type = new Option<string>("--type") { Description = "How weights are stored.", DefaultValueFactory = _ => "f16" }.AcceptOnlyFromAmong([.. types.Keys]);
        Option<int> threads = Options.Threads();
        Command command = new("convert", "Write a model in another type or file format.") { source, destination, type, threads };
        command.SetAction(parsed => Convert(parsed.GetValue(source)!, parsed.GetValue(destination)!, parsed.GetValue(type)!, parsed.GetValue(threads)));
        return command;
    }

    private static void Convert(string source, string destination, string type, int threads)
    {
        (GgufFileType gguf, ElementType? folder) = types[type];
        if (destination.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
        {
            ModelConversion.ToGguf(source, destination, gguf, threads: threads);
        }
        else
        {
            ElementType element = folder ?? throw new ArgumentException($"--type {type}: expected f32, f16 or bf16 for a folder; a destination that ends in .gguf holds {type}");
            Checkpoint.Save(destination, ModelConversion.Load(source).ConvertTo(element, threads));
        }
    }
}
