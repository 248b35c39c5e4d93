using System.CommandLine;
using Mamba.Managed.Cli.Experiments;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>The <c>mamba</c> command: its subcommands and exit codes.</summary>
internal static class MambaCommand
{
    private const int Failure = 1;
    private const int UsageError = 2;
    private const int Interrupted = 130;

    // A large model that is interrupted takes minutes to finish a step and to save.
    private static readonly TimeSpan SaveTime = TimeSpan.FromMinutes(10);

    /// <summary>Runs the command.</summary>
    /// <returns>0; 1 after a failure, with one line on <paramref name="error"/>; 2 for a usage error, with help; 130 after Ctrl+C.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, CancellationToken cancel = default)
    {
        Option<bool> verbose = new("--verbose") { Description = "With a failure, show where it happened.", Recursive = true };
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
        ParseResult parsed = root.Parse(args);
        InvocationConfiguration configuration = new() { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = SaveTime };
        try
        {
            int result = await parsed.InvokeAsync(configuration, cancel).ConfigureAwait(false);
            return parsed.Errors.Count > 0 ? UsageError : result;
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (Exception failure) when (failure is IOException or InvalidDataException or ArgumentException or UnauthorizedAccessException
            or OutOfMemoryException or InvalidOperationException or NotSupportedException or NonFiniteException or TypeInitializationException)
        {
            // An exception of a static constructor is wrapped; the message is that of the cause.
            Exception cause = failure is TypeInitializationException { InnerException: { } inner } ? inner : failure;
            string line = LineOf(cause);
            await error.WriteLineAsync($"mamba: {line}").ConfigureAwait(false);
            if (parsed.GetValue(verbose))
            {
                await error.WriteLineAsync(failure.ToString()).ConfigureAwait(false);
            }

            return Failure;
        }
    }

    // .NET appends the name of a parameter to the message, which means nothing to a user of the command.
    private static string LineOf(Exception cause)
    {
        string message = cause is ArgumentException { ParamName: { } name } ? cause.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal) : cause.Message;
        return message.ReplaceLineEndings(" ");
    }
}
