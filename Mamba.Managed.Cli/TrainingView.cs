using System.Globalization;
using Mamba.Managed.Training;
using Spectre.Console;

namespace Mamba.Managed.Cli;

/// <summary>Shows a training run: plain lines in a file or pipe, a live table on a terminal.</summary>
internal class TrainingView(TextWriter output)
{
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(2);

    private long lastLine;

    /// <summary>The view for an output.</summary>
    public static TrainingView For(TextWriter output) =>
        Console.IsOutputRedirected || !ReferenceEquals(output, Console.Out) ? new TrainingView(output) : new LiveTrainingView(output);

    /// <summary>Runs the body, which reports to this view.</summary>
    public virtual void Run(Action body) => body();

    /// <summary>Shows a step: every one that was validated, the last, and of the others at most one in two seconds.</summary>
    public virtual void Show(TrainingReport report, TrainingProgress progress, (double Loss, long Step)? best, double? accuracy = null)
    {
        if (report.Validation is not null || accuracy is not null || progress.Done >= 1 || lastLine == 0 || TimeProvider.System.GetElapsedTime(lastLine) > LineInterval)
        {
            lastLine = TimeProvider.System.GetTimestamp();
            string measured = string.Concat(Measured(report, accuracy).Select(part => ", " + part));
            Say(string.Create(
                CultureInfo.InvariantCulture,
                $"step {report.Step}: loss {report.Loss:F4}{measured}, norm {report.GradientNorm:F3}, rate {report.LearningRate:G3}, {progress.TokensPerSecond:F0} tokens/s, {progress.FmaShare:P1} of the multiply-adds, {Time(progress.Left)} left"));
        }
    }

    /// <summary>Writes one line.</summary>
    public virtual void Say(string line) => output.WriteLine(line);

    /// <summary>Shows generated text.</summary>
    public virtual void Sample(string text) => Say("sample: " + text.ReplaceLineEndings("\n        "));

    /// <summary>The measurements after a step: validation loss and accuracy.</summary>
    protected static IEnumerable<string> Measured(TrainingReport report, double? accuracy)
    {
        if (report.Validation is double loss)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"validation {loss:F4}");
        }

        if (accuracy is double right)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{right:P1} right");
        }
    }

    protected static string Time(TimeSpan time) => time.ToString(time.TotalDays >= 1 ? @"d\.hh\:mm\:ss" : @"hh\:mm\:ss", CultureInfo.InvariantCulture);
}
