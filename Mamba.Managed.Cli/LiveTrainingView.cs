using System.Globalization;
using Mamba.Managed.Training;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Mamba.Managed.Cli;

/// <summary>The last steps as a table, a progress bar and the last sample, redrawn in place.</summary>
internal sealed class LiveTrainingView(TextWriter output) : TrainingView(output)
{
    private const int Rows = 8;
    private const int BarLength = 50;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
    // That a run is being stopped is said by another thread.
    private readonly Lock gate = new();
    private readonly Queue<string[]> rows = new();
    private readonly List<string> said = [];
    private LiveDisplayContext? live;
    private string bar = "";
    private string sample = "";
    private long lastDrawn;

    /// <inheritdoc/>
    public override void Run(Action body) => console.Live(new Text("")).Start(context =>
    {
        live = context;
        try
        {
            body();
        }
        finally
        {
            lock (gate)
            {
                Draw();
                live = null;
            }
        }
    });

    /// <inheritdoc/>
    public override void Show(TrainingReport report, TrainingProgress progress, (double Loss, long Step)? best, double? accuracy = null)
    {
        bool isDue = lastDrawn == 0 || TimeProvider.System.GetElapsedTime(lastDrawn) > Interval;
        if (!isDue && report.Validation is null && accuracy is null && progress.Done < 1)
        {
            return;
        }

        lock (gate)
        {
            Add(report, progress, best, accuracy);
            Draw();
        }
    }

    private void Add(TrainingReport report, TrainingProgress progress, (double Loss, long Step)? best, double? accuracy)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        rows.Enqueue(
        [
            report.Step.ToString(culture), report.Loss.ToString("F4", culture), string.Join(", ", Measured(report, accuracy)),
            progress.TokensPerSecond.ToString("F0", culture), progress.FmaShare.ToString("P1", culture), report.GradientNorm.ToString("F3", culture),
            report.LearningRate.ToString("G3", culture),
        ]);
        if (rows.Count > Rows)
        {
            rows.Dequeue();
        }

        int full = (int)(progress.Done * BarLength);
        string lowest = best is (double loss, long step) ? string.Create(culture, $", best validation {loss:F4} after step {step}") : "";
        bar = string.Create(culture, $"[green]{new string('█', full)}[/][gray]{new string('░', BarLength - full)}[/] {progress.Done:P1}, {Time(progress.Left)} left{lowest}");
    }

    /// <inheritdoc/>
    public override void Say(string line)
    {
        lock (gate)
        {
            said.Add(line);
            if (live is null)
            {
                console.WriteLine(line);
            }
            else
            {
                Draw();
            }
        }
    }

    /// <inheritdoc/>
    public override void Sample(string text)
    {
        lock (gate)
        {
            sample = text;
            Draw();
        }
    }

    private void Draw()
    {
        lastDrawn = TimeProvider.System.GetTimestamp();
        Table table = new Table().AddColumns("step", "loss", "measured", "tokens/s", "of FMA peak", "gradient norm", "rate");
        foreach (string[] row in rows)
        {
            table.AddRow(row);
        }

        List<IRenderable> parts = [table, new Markup(bar)];
        if (sample.Length > 0)
        {
            parts.Add(new Panel(Markup.Escape(sample)).Header("sample").Expand());
        }

        parts.AddRange(said.Skip(1).Select(line => new Text(line)));
        live?.UpdateTarget(new Spectre.Console.Rows(parts));
    }
}
