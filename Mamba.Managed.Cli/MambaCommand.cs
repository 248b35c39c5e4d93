using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Reflection;
using Mamba.Managed.Cli.Experiments;

namespace Mamba.Managed.Cli;

/// <summary>The <c>mamba</c> command: its subcommands and exit codes.</summary>
internal static class MambaCommand
{
    /// <summary>The exit code of a command that was canceled.</summary>
    public const int Interrupted = 130;

    private const int Failure = 1;
    private const int UsageError = 2;

    // That of a program that SIGPIPE ends.
    private const int ReaderGone = 141;
    private const int MostUsageErrors = 2;
    private const int LongestShortWord = 3;

    private static readonly ParserConfiguration parsing = new()
    {
        // Files of options: a text that begins with @ would be replaced by what a file contains.
        ResponseFileTokenReplacer = null,
        EnablePosixBundling = false,
    };

    /// <summary>Runs the command.</summary>
    /// <returns>
    /// 0; 1 after a failure, with one line on <paramref name="error"/>; 2 for a usage error, with help; 130 when canceled; 141 when nobody reads
    /// the output any more.
    /// </returns>
    public static Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, CancellationToken cancel = default) =>
        RunAsync(args, output, error, null, cancel);

    /// <summary>Runs the command as a process of its own, which signals interrupt.</summary>
    public static Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, Interruption interruption) =>
        RunAsync(args, output, error, interruption, interruption.Token);

    private static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, Interruption? interruption, CancellationToken cancel)
    {
        Option<bool> verbose = new("--verbose") { Description = "With a failure, show where it happened.", Recursive = true };
        RootCommand root = Create(verbose);
        ParseResult parsed = root.Parse(Options.JoinTexts(root, args), parsing);

        // A command may report from several threads.
        output = TextWriter.Synchronized(output);
        Invocation configuration = new(interruption)
        {
            Output = output,
            Error = TextWriter.Synchronized(error),
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        try
        {
            if (parsed.Errors.Count > 0 && parsed.Action is ParseErrorAction action)
            {
                return ReportUsage(parsed, action, output, error);
            }

            int result = await parsed.InvokeAsync(configuration, cancel).ConfigureAwait(false);
            return parsed.Errors.Count > 0 ? UsageError : result;
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (ReaderGoneException)
        {
            return ReaderGone;
        }
#pragma warning disable CA1031 // Whatever a command throws is one line for its user.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            await error.WriteLineAsync($"mamba: {LineOf(failure)}").ConfigureAwait(false);
            if (parsed.GetValue(verbose))
            {
                await error.WriteLineAsync(Terminal.Escape(failure.ToString())).ConfigureAwait(false);
            }

            return Failure;
        }
    }

    /// <summary>All commands and their options.</summary>
    internal static RootCommand Create(Option<bool> verbose)
    {
        RootCommand root = new("Mamba selective state-space models in managed code.")
        {
            GenerateCommand.Create(),
            InfoCommand.Create(),
            LogitsCommand.Create(),
            PerplexityCommand.Create(),
            TokenizeCommand.Create(),
            TokenizeCommand.CreateReverse(),
            ConvertCommand.Create(),
            QuantizeReportCommand.Create(),
            TrainCommand.Create(),
            ExperimentCommand.Create(),
            BenchCommand.Create(),
            verbose,
        };

        // The usual one has names as /h and -?, which may as well be texts.
        root.Options.Remove(root.Options.OfType<HelpOption>().Single());
        root.Options.Add(new HelpOption("--help", "-h") { Recursive = true });
        Options.RefuseEmptyNames(root);
        return root;
    }

    // The parser's own report may be of any length; what it shows beside is the help, and names that an unknown one resembles.
    private static int ReportUsage(ParseResult parsed, ParseErrorAction action, TextWriter output, TextWriter error)
    {
        // That a command is missing says nothing more where one is unknown.
        bool isUnknown = parsed.CommandResult.Command.Subcommands.Count > 0 && parsed.UnmatchedTokens.Count > 0;
        IEnumerable<string> messages = parsed.Errors.Select(found => found.Message)
            .Where(message => !isUnknown || parsed.UnmatchedTokens.Any(token => message.Contains(token, StringComparison.Ordinal)));
        foreach (string message in messages.Distinct().Take(MostUsageErrors))
        {
            error.WriteLine($"mamba: {Terminal.Line(message)}");
        }

        // A short word resembles every other one.
        action.ShowTypoCorrections = parsed.UnmatchedTokens.All(token => token.Length > LongestShortWord);
        using StringWriter help = new();
        parsed.Invoke(new InvocationConfiguration { Output = help, Error = TextWriter.Null });
        try
        {
            output.Write(Terminal.Escape(help.ToString()));
        }
        catch (Exception failure) when (failure is IOException or ReaderGoneException)
        {
            // What is wrong has been told.
        }

        return UsageError;
    }

    private static string LineOf(Exception failure)
    {
        // An exception of a static constructor, of reflection or of several threads is wrapped; the message is that of the cause.
        Exception cause = failure;
        while (cause is TypeInitializationException or TargetInvocationException or AggregateException && cause.InnerException is { } inner)
        {
            cause = inner;
        }

        // .NET appends the name of a parameter to the message, which means nothing to a user of the command, and a value in words of its own.
        string message = cause is ArgumentException { ParamName: { } name } ? cause.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal) : cause.Message;
        return Terminal.Line(cause is ArgumentOutOfRangeException { ActualValue: { } value } ? message.Replace($"{Environment.NewLine}Actual value was {value}.", $", found {value}", StringComparison.Ordinal) : message);
    }
}
