using System.CommandLine;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba tokenize [MODEL] TEXT</c> and <c>mamba detokenize [MODEL] IDS</c>.</summary>
internal static class TokenizeCommand
{
    public static Command Create() => Create("tokenize", "Print the token ids of a text.", "TEXT", (tokenizer, text) => string.Join(' ', tokenizer.Encode(text)));

    public static Command CreateReverse() => Create("detokenize", "Print the text of token ids.", "IDS", (tokenizer, text) => tokenizer.Decode(TokenIds.Parse(text)));

    private static Command Create(string name, string description, string argument, Func<Tokenizer, string, string> turn)
    {
        // MODEL comes first and may be left out, so one argument alone is the text.
        Argument<string[]> arguments = new($"[MODEL] {argument}") { Description = "Model folder or GGUF file, then what to turn.", Arity = new ArgumentArity(1, 2) };
        Command command = new(name, description) { arguments };
        command.SetAction(parsed =>
        {
            string[] values = parsed.GetValue(arguments)!;
            string path = values.Length == 2 ? values[0] : Options.DefaultModel;
            Tokenizer tokenizer = Tokenizer.Load(path, ModelConversion.Load(path).Config);
            parsed.InvocationConfiguration.Output.WriteLine(turn(tokenizer, values[^1]));
        });
        return command;
    }
}
