using Spectre.Console;

namespace Mamba.Managed.Cli;

/// <summary>A progress bar on standard error.</summary>
internal static class ProgressBar
{
    /// <summary>Runs <paramref name="work"/>, which reports its current item and its progress, 0 to 1.</summary>
    /// <remarks>The bar is shown on a terminal only, not in pipes and files.</remarks>
    public static T Run<T>(TextWriter error, string title, Func<IProgress<(string What, double Share)>, T> work)
    {
        if (Console.IsErrorRedirected || !ReferenceEquals(error, Console.Error))
        {
            return work(new Listener<(string What, double Share)>(_ => { }));
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(error) });
        return console.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(progress =>
            {
                ProgressTask task = progress.AddTask(Markup.Escape(title), maxValue: 1);
                return work(new Listener<(string What, double Share)>(now =>
                {
                    task.Description = Markup.Escape(now.What);
                    task.Value = now.Share;
                }));
            });
    }
}
