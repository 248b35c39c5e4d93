using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>Arguments and options that several commands share, and checks that make an invalid value a usage error.</summary>
internal static class Options
{
    private const string EndOfOptions = "--";

    // Options whose value is a text of any kind, which may look like an option.
    private static readonly string[] texts = ["--prompt", "--stop", "--sample-prompt"];

    /// <summary>The model that ships with the command.</summary>
    public static string DefaultModel => Path.Combine(AppContext.BaseDirectory, "DefaultModel");

    /// <summary>The model to use; without it, the one that ships with the command.</summary>
    public static Argument<string> Model()
    {
        Argument<string> model = new("MODEL")
        {
            Description = "Model folder or GGUF file; the Shakespeare model that comes with the command when left out.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        model.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: ['-', '-', ..] } token] && !Path.Exists(token.Value))
            {
                result.AddError($"{token.Value}: expected an option of this command or a model, found neither");
            }
        });
        return model;
    }

    /// <summary>The value of <see cref="Model"/>.</summary>
    public static string ModelOf(ParseResult parsed, Argument<string> model) => parsed.GetValue(model) ?? DefaultModel;

    /// <summary>Makes an empty name of a file, folder or model a usage error.</summary>
    public static void RefuseEmptyNames(Command command)
    {
        foreach (Option<string> option in command.Options.OfType<Option<string>>().Where(option => !texts.Contains(option.Name)))
        {
            option.Validators.Add(result => RefuseEmpty(result, option.Name));
        }

        foreach (Argument<string> argument in command.Arguments.OfType<Argument<string>>())
        {
            argument.Validators.Add(result => RefuseEmpty(result, argument.Name));
        }

        foreach (Command inner in command.Subcommands)
        {
            RefuseEmptyNames(inner);
        }
    }

    public static Option<int> Threads() => Number("--threads", "Threads that compute; 0 for one per processor.", 0, 0, 1024);

    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object." };

    public static Option<bool> NoDocumentEnd() => new("--no-document-end")
    {
        Description = "Leave texts as they are; otherwise each ends with the tokenizer's end token, so that a model learns to stop.",
    };

    /// <summary>A number within a range, with a decimal point whatever the language of the system.</summary>
    public static Option<T> Number<T>(string name, string description, T byDefault, T least, T most)
        where T : struct, INumber<T> => new(name)
        {
            Description = description,
            DefaultValueFactory = _ => byDefault,
            CustomParser = result => Parse<T>(name, result, least, most) ?? byDefault,
        };

    /// <summary>A whole number within a range; null when it is left out.</summary>
    public static Option<int?> Optional(string name, string description, int least, int most) => new(name)
    {
        Description = description,
        CustomParser = result => Parse<int>(name, result, least, most),
    };

    /// <summary>A number whose range the command checks.</summary>
    public static Option<T> Plain<T>(string name, string description, T byDefault)
        where T : struct, INumber<T> => new(name)
        {
            Description = description,
            DefaultValueFactory = _ => byDefault,
            CustomParser = result => Parse<T>(name, result, null, null) ?? byDefault,
        };

    /// <summary>The value of an option, checked.</summary>
    /// <exception cref="ArgumentException">The value is out of range; the message says what is expected.</exception>
    public static T InRange<T>(ParseResult parsed, Option<T> option, Func<T, bool> isRight, string expected)
        where T : IFormattable
    {
        T value = parsed.GetValue(option)!;
        return isRight(value) ? value : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{option.Name}: expected {expected}, found {value}"));
    }

    /// <summary>The value of a learning rate option, checked.</summary>
    /// <exception cref="ArgumentException">It is out of range.</exception>
    public static double LearningRate(ParseResult parsed, Option<double> option) =>
        InRange(parsed, option, rate => rate > 0 && rate <= AdamW.MaxLearningRate, $"a number above 0 and up to {AdamW.MaxLearningRate}");

    /// <summary>The arguments with each text joined to its option, as <c>--prompt=-x</c>, so that a text is never taken for an option.</summary>
    public static string[] JoinTexts(Command root, string[] args)
    {
        Command? command = args.Select(arg => root.Subcommands.FirstOrDefault(command => command.Name == arg)).FirstOrDefault(found => found is not null);
        string[] own = [.. command?.Options.Select(option => option.Name).Intersect(texts) ?? []];
        List<string> joined = [];
        for (int i = 0; i < args.Length; i++)
        {
            if (args[i] == EndOfOptions)
            {
                return [.. joined, .. args[i..]];
            }

            // Nothing after = is no value to the parser, but an empty one of its own is.
            if (args[i].EndsWith('=') && own.Contains(args[i][..^1]))
            {
                joined.AddRange([args[i][..^1], ""]);
                continue;
            }

            bool isText = own.Contains(args[i]) && i + 1 < args.Length && args[i + 1].Length > 0;
            joined.Add(isText ? $"{args[i]}={args[++i]}" : args[i]);
        }

        return [.. joined];
    }

    private static void RefuseEmpty(SymbolResult result, string name)
    {
        if (result.Tokens.Any(token => token.Value.Length == 0))
        {
            result.AddError($"{name}: expected a value, found an empty one");
        }
    }

    private static T? Parse<T>(string name, ArgumentResult result, T? least, T? most)
        where T : struct, INumber<T>
    {
        bool isWhole = T.One / (T.One + T.One) == T.Zero;
        NumberStyles style = NumberStyles.AllowLeadingSign | (isWhole ? NumberStyles.None : NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent);
        string text = result.Tokens[^1].Value;
        string range = least is null ? "" : string.Create(CultureInfo.InvariantCulture, $" from {least} to {most}");
        if (!T.TryParse(text, style, CultureInfo.InvariantCulture, out T value))
        {
            result.AddError($"{name}: expected a {(isWhole ? "whole number" : "number with a decimal point")}{range}, found '{text}'");
            return null;
        }

        // Not a number compares as false.
        if (least is not null && !(value >= least && value <= most))
        {
            result.AddError($"{name}: expected{range}, found {text}".Replace("expected from", "expected", StringComparison.Ordinal));
            return null;
        }

        return value;
    }
}
