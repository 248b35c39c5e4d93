using Spectre.Console;

namespace Mamba.Managed.Cli;

/// <summary>A bar on standard error while something long runs.</summary>
internal static class ProgressBar
{
    /// <summary>Runs <paramref name="work"/>, which says what it is at and how far, 0 to 1.</summary>
    /// <remarks>There is a bar only where a person looks at it: pipes and logs get the result alone.</remarks>
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
