using Mamba.Managed.Checkpoints;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>The output of a training run: the view, <c>metrics.jsonl</c> and the loss curve.</summary>
internal sealed class RunRecord : IDisposable
{
    private readonly Trainer trainer;
    private readonly string folder;
    private readonly MetricsLog metrics;
    private readonly TrainingProgress progress;

    /// <summary>Begins a record, or continues that in the folder.</summary>
    /// <param name="trainer">The run.</param>
    /// <param name="folder">Its folder; created if it does not exist.</param>
    /// <param name="view">Shows the run.</param>
    /// <param name="peak">Multiply-adds of what trains, in 10^9 operations a second.</param>
    public RunRecord(Trainer trainer, string folder, TrainingView view, double peak)
    {
        (this.trainer, this.folder, View) = (trainer, folder, view);
        DurableFolder.Create(folder);
        metrics = new MetricsLog(folder, trainer.Step);
        progress = new TrainingProgress(trainer.Options.Steps, trainer.Model.Config.ParameterCount, peak);
    }

    public TrainingView View { get; }

    /// <summary>Rejects a folder with other files, or with a run that is not to be resumed.</summary>
    /// <exception cref="IOException">The folder is not empty, or the path is a file.</exception>
    public static void CheckFolder(string folder, bool resume)
    {
        if (File.Exists(folder))
        {
            throw new IOException($"{folder}: expected a folder for the run, found a file; name another");
        }

        if (!resume && Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any(IsKept))
        {
            throw new IOException($"{folder}: expected a new or empty folder, found files in it; add --resume to go on with the run, or name another folder");
        }
    }

    /// <summary>Resumes from the newest undamaged checkpoint, and reports the damaged ones.</summary>
    public static void Resume(Trainer trainer, TextWriter error)
    {
        foreach (string damaged in trainer.Resume())
        {
            error.WriteLine(Terminal.Line($"{damaged}: the checkpoint before it is used"));
        }
    }

    /// <summary>Trains to the end.</summary>
    /// <param name="accuracy">Returns the accuracy after a step, or null if it is not measured there; null to measure the loss only.</param>
    /// <param name="each">Receives every step.</param>
    /// <param name="cancel">Saves and ends the run.</param>
    /// <exception cref="OperationCanceledException">The run was canceled; it is saved.</exception>
    /// <exception cref="IOException">A file could not be written; earlier checkpoints are intact.</exception>
    public void Train(Func<TrainingReport, double?>? accuracy, Action<TrainingReport> each, CancellationToken cancel)
    {
        try
        {
            Advance(accuracy, each, cancel);
        }
        catch (IOException failure)
        {
            throw new IOException($"{failure.Message} What was saved before is whole: make room, and go on with --resume", failure);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => metrics.Dispose();

    private void Advance(Func<TrainingReport, double?>? accuracy, Action<TrainingReport> each, CancellationToken cancel)
    {
        using CancellationTokenRegistration told =
            cancel.Register(() => View.Say("stopping: the step is finished and the run saved; a second Ctrl+C ends it at once, without"));
        try
        {
            trainer.Run(
                new Listener<TrainingReport>(report =>
                {
                    Report(report, accuracy?.Invoke(report));
                    each(report);
                }),
                cancel);
        }
        catch (OperationCanceledException)
        {
            View.Say(FormattableString.Invariant($"stopped after step {trainer.Step}, saved; --resume goes on"));
            throw;
        }
        catch (ReaderGoneException)
        {
            // The step was made before it was reported.
            trainer.Save();
            throw;
        }
        finally
        {
            Draw();
        }
    }

    // A run that was ended before its first checkpoint leaves only these files, which may be overwritten.
    private static bool IsKept(string path) =>
        Path.GetFileName(path) != MetricsLog.Name && Path.GetFileNameWithoutExtension(path) != LossCurve.Name && !SideFiles.Names.Contains(Path.GetFileName(path)) && !path.EndsWith(".tmp", StringComparison.Ordinal);

    // Called after a step and before its checkpoint is written.
    private void Report(TrainingReport report, double? accuracy)
    {
        progress.Add(report);
        metrics.Add(report, accuracy, progress.TokensPerSecond, progress.FmaShare);
        View.Show(report, progress, trainer.Best, accuracy);
        if (report.Saved)
        {
            Draw();
        }
    }

    private void Draw()
    {
        if (metrics.Points.Count > 0)
        {
            LossCurve.Draw(folder, metrics.Points);
        }
    }
}
