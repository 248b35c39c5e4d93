using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba tokenize [MODEL] TEXT</c>, the same from file to file, and <c>mamba detokenize [MODEL] IDS</c>.</summary>
internal static class TokenizeCommand
{
    public static Command Create()
    {
        Argument<string[]> arguments = Arguments("TEXT", 0);
        Option<string> file = new("--file") { Description = "Text in UTF-8 or JSON (.jsonl, .json) instead of TEXT." };
        Option<string> output = new("--output") { Description = "The token file (.tokens) to make of --file, which mamba train maps into memory." };
        Option<bool> open = Options.NoDocumentEnd();
        Command command = new("tokenize", "Print the token ids of a text, or write a token file.") { arguments, file, output, open };
        command.Validators.Add(result =>
        {
            bool isFile = result.GetResult(file) is not null;
            int given = result.GetValue(arguments)?.Length ?? 0;
            RefuseEmptyModel(result, arguments);
            if (isFile != result.GetResult(output) is not null)
            {
                result.AddError("expected --file and --output together, found one of them");
            }
            else if (isFile ? given > 1 : given == 0)
            {
                result.AddError(isFile ? "expected MODEL alone beside --file, found a text too" : "expected a text, found none");
            }
        });
        command.SetAction((parsed, cancel) =>
        {
            string[] values = parsed.GetValue(arguments)!;
            TextWriter writer = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(file) is not { } from)
            {
                writer.WriteLine(string.Join(' ', Load(values).Encode(values[^1])));
                return Task.FromResult(0);
            }

            string to = parsed.GetValue(output)!;
            DocumentReport read = DocumentReader.Read(from, Load([.. values, from]), new() { EndDocuments = !parsed.GetValue(open) }, cancel);
            using TokenDocuments documents = read.Documents;
            TrainingRun.SayBadLines(from, read, parsed.InvocationConfiguration.Error);
            documents.Save(to);
            writer.WriteLine(Terminal.Line(string.Create(CultureInfo.InvariantCulture, $"{to}: {documents.Count} documents, {documents.TokenCount} tokens")));
            return Task.FromResult(0);
        });
        return command;
    }

    public static Command CreateReverse()
    {
        Argument<string[]> arguments = Arguments("IDS", 1);
        Command command = new("detokenize", "Print the text of token ids.") { arguments };
        command.Validators.Add(result => RefuseEmptyModel(result, arguments));
        command.SetAction(parsed =>
        {
            string[] values = parsed.GetValue(arguments)!;
            TextWriter writer = parsed.InvocationConfiguration.Output;
            string text = Load(values).Decode(TokenIds.Parse(values[^1]));
            writer.WriteLine(Terminal.Is(writer) ? Terminal.Escape(text) : text);
        });
        return command;
    }

    // MODEL comes first and may be left out, so one argument alone is the text.
    private static Argument<string[]> Arguments(string what, int least) =>
        new($"[MODEL] {what}") { Description = $"Model folder or GGUF file, which may hold a tokenizer alone; then {what}.", Arity = new ArgumentArity(least, 2) };

    private static void RefuseEmptyModel(CommandResult result, Argument<string[]> arguments)
    {
        if (result.GetValue(arguments) is ["", _])
        {
            result.AddError("MODEL: expected a value, found an empty one");
        }
    }

    // A folder may contain a tokenizer alone. Without one the model is opened: with a vocabulary of 256 its tokens are bytes.
    private static Tokenizer Load(string[] values)
    {
        string path = values.Length == 2 ? values[0] : Options.DefaultModel;
        if (ModelTokenizer.Find(path) is { } own)
        {
            return own;
        }

        using ModelSource source = ModelSource.Open(path);
        return source.Tokenizer;
    }
}
