using System.CommandLine;
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

    private TrainingRun(TrainSettings settings, Trainer trainer, Tokenizer tokenizer, TrainingView view, double peak)
    {
        (this.settings, this.trainer, this.tokenizer) = (settings, trainer, tokenizer);
        record = new RunRecord(trainer, settings.Output, view, peak);
    }

    /// <summary>Trains to the end.</summary>
    /// <exception cref="OperationCanceledException">The run was canceled; it is saved.</exception>
    public static void Execute(TrainSettings settings, ParseResult parsed, CancellationToken cancel)
    {
        (TextWriter output, TextWriter error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        RunRecord.CheckFolder(settings.Output, settings.Resume);
        TrainSettings.Beginning beginning = settings.Load();
        (MambaLanguageModel model, Tokenizer tokenizer) = (beginning.Model, beginning.Tokenizer);
        DocumentReport read = ReadData(settings, tokenizer, model.Config.VocabSize, cancel);
        using TokenDocuments documents = read.Documents;
        SayBadLines(settings.Data, read, error);
        ITrainingEngine? engine = null;
        using Trainer trainer = new(model, documents, settings.For(documents), settings.Output, (first, recipe) => engine = settings.Device.Create(first, recipe));
        beginning.Source?.Dispose();
        if (settings.Resume)
        {
            RunRecord.Resume(trainer, error);
        }

        DurableFolder.Create(settings.Output);
        beginning.SaveSideFiles(settings.Output);
        TrainingView view = TrainingView.For(output);
        using TrainingRun run = new(settings, trainer, tokenizer, view, settings.Device.Peak(engine!, rounds: 1));
        view.Say(FormattableString.Invariant(
            $"{model.Config.ParameterCount:N0} parameters, {documents.TokenCount - trainer.Options.ValidationTokens:N0} tokens of training and {trainer.Options.ValidationTokens:N0} of validation, step {trainer.Step} of {trainer.Options.Steps}"));
        using (Invocation.Saving(parsed))
        {
            view.Run(() => run.Train(cancel));
        }
    }

    /// <summary>Reports how many lines were left out, and the errors of the first of them.</summary>
    public static void SayBadLines(string data, DocumentReport read, TextWriter error)
    {
        foreach (string line in read.FirstBad)
        {
            error.WriteLine(Terminal.Line($"{data}: {line}"));
        }

        if (read.BadLines > 0)
        {
            error.WriteLine(Terminal.Line(FormattableString.Invariant($"{data}: {read.BadLines} bad lines were left out")));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => record.Dispose();

    // A run that was made without end tokens goes on without them.
    private static DocumentReport ReadData(TrainSettings settings, Tokenizer tokenizer, int vocabularySize, CancellationToken cancel)
    {
        DocumentReport read = Read(settings.EndDocuments);
        string? recipe = settings.Resume && settings.EndDocuments && tokenizer.EndTokenId is not null ? RunCheckpoint.RecipeOf(settings.Output) : null;
        if (recipe is null || TrainerOptions.IsRecipeOf(recipe, read.Documents.Description))
        {
            return read;
        }

        DocumentReport plain = Read(false);
        (DocumentReport taken, DocumentReport other) = TrainerOptions.IsRecipeOf(recipe, plain.Documents.Description) ? (plain, read) : (read, plain);
        other.Documents.Dispose();
        return taken;

        DocumentReport Read(bool ends) =>
            DocumentReader.Read(settings.Data, tokenizer, new() { VocabularySize = vocabularySize, EndDocuments = ends }, cancel);
    }

    private void Train(CancellationToken cancel)
    {
        record.Train(null, report => Sample(report, cancel), cancel);
        string best = trainer.Best is (double loss, long step) ? FormattableString.Invariant($", best validation {loss:F4} after step {step}") : "";
        record.View.Say(Terminal.Line($"done{best}: {settings.Output}"));
    }

    private void Sample(TrainingReport report, CancellationToken cancel)
    {
        bool isLast = report.Step == trainer.Options.Steps;
        if (isLast || (settings.SampleEvery > 0 && report.Step % settings.SampleEvery == 0))
        {
            try
            {
                record.View.Sample(Sample(cancel));
            }
            catch (OperationCanceledException)
            {
                // The run itself is saved before it ends, after this step.
            }
        }
    }

    private string Sample(CancellationToken cancel)
    {
        using CpuExecutor executor = new(trainer.Result, trainer.Options.Threads);
        using TextGenerator generator = new(executor, tokenizer, new() { MaxTokens = SampleTokens, Temperature = 0.8f, Seed = (ulong)trainer.Step });
        string text = generator.GenerateAsync(settings.SamplePrompt, cancel).GetAwaiter().GetResult().Text;

        // An untrained model generates control characters, which the terminal would interpret.
        return string.Concat(text.Select(letter => (char.IsControl(letter) && letter is not ('\n' or '\t')) || Terminal.IsReordering(letter) ? '\uFFFD' : letter));
    }
}
