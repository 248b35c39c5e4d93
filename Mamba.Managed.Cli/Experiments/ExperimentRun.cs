using System.CommandLine;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli.Experiments;

/// <summary>A run of <c>mamba experiment</c>: trains a small model on a task, then measures its accuracy at every length.</summary>
internal static class ExperimentRun
{
    /// <summary>Trains, measures, and writes a model folder with metrics, <c>accuracy.json</c> and the pictures.</summary>
    /// <exception cref="OperationCanceledException">The run was canceled; it is saved.</exception>
    public static void Execute(ExperimentSettings settings, ParseResult parsed, CancellationToken cancel)
    {
        (TextWriter output, TextWriter error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        RunRecord.CheckFolder(settings.Output, settings.Resume);
        SyntheticBatches batches = new(settings.Task, settings.Trainer.Batch, settings.Growth);
        TrainSettings.CheckMemory(ExperimentSettings.Model, settings.Trainer, onProcessor: true, "lower --batch or --length");
        using Trainer trainer = new(MambaLanguageModel.Create(ExperimentSettings.Model, settings.Trainer.Batch.Seed), batches, settings.Trainer, settings.Output);
        if (settings.Resume)
        {
            RunRecord.Resume(trainer, error);
        }

        TrainingView view = TrainingView.For(output);
        view.Say(FormattableString.Invariant(
            $"{settings.Task.Name} at length {settings.Trainer.Batch.Length}: {trainer.Model.Config.ParameterCount:N0} parameters, step {trainer.Step} of {trainer.Options.Steps}"));
        using (RunRecord record = new(trainer, settings.Output, view, MachineLimits.Measure(settings.Trainer.Threads).FmaGigaflopsPerSecond))
        using (Invocation.Saving(parsed))
        {
            view.Run(() => record.Train(report => report.Saved ? Accuracy(trainer.Result, settings, cancel) : null, _ => { }, cancel));
        }

        List<TaskAccuracy> found = [.. Measure(settings, view, cancel)];
        AccuracyFile.Write(settings, found);
        AccuracyCurve.Draw(settings, found);
        view.Say($"done: {settings.Output}");
    }

    private static double Accuracy(MambaLanguageModel model, ExperimentSettings settings, CancellationToken cancel)
    {
        using CpuExecutor executor = new(model, settings.Trainer.Threads);
        return TaskAccuracy.Measure(executor, settings.Task, settings.Trainer.Batch.Length, ExperimentSettings.SequencesInTraining, cancel).Share;
    }

    // Measures the published weights of the folder, the ones that others load.
    private static IEnumerable<TaskAccuracy> Measure(ExperimentSettings settings, TrainingView view, CancellationToken cancel)
    {
        using CpuExecutor executor = CpuExecutor.Load(settings.Output, settings.Trainer.Threads);
        foreach (int length in settings.Lengths)
        {
            TaskAccuracy found = TaskAccuracy.Measure(executor, settings.Task, length, settings.Sequences, cancel);
            view.Say(FormattableString.Invariant($"length {length}: {found.Right} of {found.Asked} answers right, {found.Share:P2}"));
            yield return found;
        }
    }
}
