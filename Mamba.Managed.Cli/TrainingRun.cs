using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>A run of <c>mamba train</c>: model, data, steps, and the files beside the checkpoints.</summary>
internal sealed class TrainingRun : IDisposable
{
    private const int SampleTokens = 200;

    private readonly TrainSettings settings;
    private readonly Trainer trainer;
    private readonly Tokenizer tokenizer;
    private readonly RunRecord record;

    private TrainingRun(TrainSettings settings, Trainer trainer, Tokenizer tokenizer, TrainingView view)
    {
        (this.settings, this.trainer, this.tokenizer) = (settings, trainer, tokenizer);
        record = new RunRecord(trainer, settings.Output, view);
    }

    /// <summary>Trains to the end.</summary>
    /// <exception cref="OperationCanceledException">The run was canceled; it is saved.</exception>
    public static void Execute(TrainSettings settings, TextWriter output, TextWriter error, CancellationToken cancel)
    {
        RunRecord.CheckFolder(settings.Output, settings.Resume);
        (MambaLanguageModel model, Tokenizer tokenizer, string? tokenizerFile, ModelSource? source) = settings.Load();
        TrainSettings.CheckMemory(model.Config, settings.Trainer, TrainSettings.MemoryRemedy);
        DocumentReport read = DocumentReader.Read(settings.Data, tokenizer.Encode);
        using TokenDocuments documents = read.Documents;
        SayBadLines(settings.Data, read, error);
        using Trainer trainer = new(model, documents, settings.For(documents), settings.Output);
        source?.Dispose();
        if (settings.Resume)
        {
            RunRecord.Resume(trainer, error);
        }

        DurableFolder.Create(settings.Output);
        if (settings.Init is { } folder && Directory.Exists(folder))
        {
            SideFiles.Copy(folder, settings.Output, withDocuments: false);
        }
        else if (tokenizerFile is not null)
        {
            SideFiles.Copy(Path.GetDirectoryName(Path.GetFullPath(tokenizerFile))!, settings.Output, withDocuments: false);
        }
        else if (!settings.Resume)
        {
            SideFiles.RemoveOthers(settings.Output, []);
        }

        TrainingView view = TrainingView.For(output);
        using TrainingRun run = new(settings, trainer, tokenizer, view);
        view.Say(FormattableString.Invariant(
            $"{model.Config.ParameterCount:N0} parameters, {documents.TokenCount - trainer.Options.ValidationTokens:N0} tokens of training and {trainer.Options.ValidationTokens:N0} of validation, step {trainer.Step} of {trainer.Options.Steps}"));
        view.Run(() => run.Train(cancel));
    }

    /// <summary>Reports how many lines were left out, and the errors of the first of them.</summary>
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
    public void Dispose() => record.Dispose();

    private void Train(CancellationToken cancel)
    {
        record.Train(null, Sample, cancel);
        string best = trainer.Best is (double loss, long step) ? FormattableString.Invariant($", best validation {loss:F4} after step {step}") : "";
        record.View.Say($"done{best}: {settings.Output}");
    }

    private void Sample(TrainingReport report)
    {
        bool isLast = report.Step == trainer.Options.Steps;
        if (isLast || (settings.SampleEvery > 0 && report.Step % settings.SampleEvery == 0))
        {
            record.View.Sample(Sample());
        }
    }

    private string Sample()
    {
        using CpuExecutor executor = new(trainer.Result, trainer.Options.Threads);
        using TextGenerator generator = new(executor, tokenizer, new() { MaxTokens = SampleTokens, Temperature = 0.8f, Seed = (ulong)trainer.Step });
        string text = generator.GenerateAsync(settings.SamplePrompt).GetAwaiter().GetResult().Text;

        // An untrained model generates control characters, which the terminal would interpret.
        return string.Concat(text.Select(letter => char.IsControl(letter) && letter is not ('\n' or '\t') ? '\uFFFD' : letter));
    }
}
