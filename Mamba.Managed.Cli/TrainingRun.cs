using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>A run of <c>mamba train</c>: model, data, steps, and everything that is written beside the checkpoints.</summary>
internal sealed class TrainingRun : IDisposable
{
    private const int SampleTokens = 200;

    private readonly TrainSettings settings;
    private readonly Trainer trainer;
    private readonly Tokenizer tokenizer;
    private readonly MetricsLog metrics;
    private readonly TrainingProgress progress;
    private readonly TrainingView view;

    private TrainingRun(TrainSettings settings, Trainer trainer, Tokenizer tokenizer, TrainingView view)
    {
        (this.settings, this.trainer, this.tokenizer, this.view) = (settings, trainer, tokenizer, view);
        metrics = new MetricsLog(settings.Output, trainer.Step);
        double peak = MachineLimits.Measure(trainer.Options.Threads).FmaGigaflopsPerSecond;
        progress = new TrainingProgress(trainer.Options.Steps, trainer.Model.Config.ParameterCount, peak);
    }

    /// <summary>Trains to the end.</summary>
    /// <exception cref="OperationCanceledException">The run was cancelled; it is saved.</exception>
    public static void Execute(TrainSettings settings, TextWriter output, TextWriter error, CancellationToken cancel)
    {
        if (File.Exists(settings.Output))
        {
            throw new IOException($"{settings.Output}: expected a folder for the run, found a file; name another");
        }

        if (!settings.Resume && Directory.Exists(settings.Output) && Directory.EnumerateFileSystemEntries(settings.Output).Any(IsKept))
        {
            throw new IOException($"{settings.Output}: expected a new or empty folder, found files in it; add --resume to go on with the run, or name another folder");
        }

        (MambaLanguageModel model, Tokenizer tokenizer, string? tokenizerFile) = settings.Load();
        settings.CheckMemory(model.Config);
        DocumentReport read = DocumentReader.Read(settings.Data, tokenizer.Encode);
        SayBadLines(settings.Data, read, error);
        using Trainer trainer = new(model, read.Documents, settings.For(read.Documents), settings.Output);
        foreach (string damaged in settings.Resume ? trainer.Resume() : [])
        {
            error.WriteLine($"{damaged}: the checkpoint before it is used");
        }

        Directory.CreateDirectory(settings.Output);
        if (tokenizerFile is not null)
        {
            string copy = Path.Combine(settings.Output, Path.GetFileName(tokenizerFile));
            if (Path.GetFullPath(copy) != Path.GetFullPath(tokenizerFile))
            {
                File.Copy(tokenizerFile, copy, overwrite: true);
            }
        }

        TrainingView view = TrainingView.For(output);
        using TrainingRun run = new(settings, trainer, tokenizer, view);
        view.Say(FormattableString.Invariant(
            $"{model.Config.ParameterCount:N0} parameters, {read.Documents.TokenCount - trainer.Options.ValidationTokens:N0} tokens of training and {trainer.Options.ValidationTokens:N0} of validation, step {trainer.Step} of {trainer.Options.Steps}"));
        view.Run(() => run.Train(cancel));
    }

    /// <summary>Says how many lines were left out, and what is wrong with the first of them.</summary>
    public static void SayBadLines(string data, DocumentReport read, TextWriter error)
    {
        foreach (string line in read.FirstBad)
        {
            error.WriteLine($"{data}: {line}");
        }

        if (read.BadLines > 0)
        {
            error.WriteLine(FormattableString.Invariant($"{data}: {read.BadLines} bad lines were left out"));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => metrics.Dispose();

    private void Train(CancellationToken cancel)
    {
        try
        {
            Advance(cancel);
        }
        catch (IOException failure)
        {
            throw new IOException($"{failure.Message} What was saved before is whole: make room, and go on with --resume", failure);
        }

        string best = trainer.Best is (double loss, long step) ? FormattableString.Invariant($", best validation {loss:F4} after step {step}") : "";
        view.Say($"done{best}: {settings.Output}");
    }

    private void Advance(CancellationToken cancel)
    {
        try
        {
            trainer.Run(Report, cancel);
        }
        catch (OperationCanceledException)
        {
            view.Say(FormattableString.Invariant($"stopped after step {trainer.Step}, saved; --resume goes on"));
            throw;
        }
        finally
        {
            Draw();
        }
    }

    // A run that was killed before its first checkpoint leaves these; nothing is lost with them.
    private static bool IsKept(string path) =>
        Path.GetFileName(path) is not ("metrics.jsonl" or "tokenizer.json") && !path.EndsWith(".tmp", StringComparison.Ordinal);

    // A step of the trainer is over, its checkpoint not yet written.
    private void Report(TrainingReport report)
    {
        progress.Add(report);
        metrics.Add(report, progress.TokensPerSecond, progress.FmaShare);
        bool isLast = report.Step == trainer.Options.Steps;
        view.Show(report, progress, trainer.Best);
        if (report.Saved)
        {
            Draw();
        }

        if (isLast || (settings.SampleEvery > 0 && report.Step % settings.SampleEvery == 0))
        {
            view.Sample(Sample());
        }
    }

    private void Draw()
    {
        if (metrics.Points.Count > 0)
        {
            LossCurve.Draw(settings.Output, metrics.Points);
        }
    }

    private string Sample()
    {
        using CpuExecutor executor = new(trainer.Result, trainer.Options.Threads);
        TextGenerator generator = new(executor, tokenizer, new() { MaxTokens = SampleTokens, Temperature = 0.8f, Seed = (ulong)trainer.Step });
        string text = generator.GenerateAsync(settings.SamplePrompt).GetAwaiter().GetResult().Text;

        // What an untrained model says would command the terminal.
        return string.Concat(text.Select(letter => char.IsControl(letter) && letter is not ('\n' or '\t') ? '\uFFFD' : letter));
    }
}
