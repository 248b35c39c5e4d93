using System.Globalization;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>The settings of <c>mamba train</c>.</summary>
internal sealed record TrainSettings
{
    /// <summary>The remedy that an error names if memory does not suffice.</summary>
    public const string MemoryRemedy = "lower --batch or --length and raise --accumulate";

    private const int UsualExpand = 2;

    public required string Data { get; init; }

    public required string Output { get; init; }

    /// <summary>A model to continue from; null for random weights.</summary>
    public string? Init { get; init; }

    /// <summary>A <c>config.json</c> for random weights.</summary>
    public string? Config { get; init; }

    public string Shape { get; init; } = "tiny";

    public int? Width { get; init; }

    public int? Layers { get; init; }

    public int? States { get; init; }

    public int? Expand { get; init; }

    /// <summary>Held out at the end of the data: a number of tokens if 1 or more, otherwise a share of them.</summary>
    public double Validation { get; init; }

    public int SampleEvery { get; init; }

    public string SamplePrompt { get; init; } = "\n";

    /// <summary>Whether texts end with the tokenizer's end token.</summary>
    public bool EndDocuments { get; init; } = true;

    public bool Resume { get; init; }

    /// <summary>The recipe, except the number of validation tokens.</summary>
    public required TrainerOptions Trainer { get; init; }

    /// <summary>What trains.</summary>
    public required TrainingDevice Device { get; init; }

    /// <summary>The initial weights, their tokenizer, and how the files beside the weights are written into the run's folder.</summary>
    /// <exception cref="ArgumentException">The model does not fit this machine's memory.</exception>
    public Beginning Load() => Init is not null ? LoadModel(Init) : Config is not null ? LoadConfig(Config) : LoadShape();

    private Beginning LoadModel(string path)
    {
        ModelSource source = ModelSource.Open(path);
        try
        {
            CheckMemory(source.Config, Trainer, Device.IsProcessor, MemoryRemedy);
            return new(source.Model, source.Tokenizer, SideFilesOf(path, source), source);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    private Beginning LoadConfig(string path)
    {
        MambaConfig config = ConfigFile.ReadForNewModel(path);
        CheckMemory(config, Trainer, Device.IsProcessor, MemoryRemedy);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Tokenizer tokenizer = ModelTokenizer.Load(folder, config);
        return new(MambaLanguageModel.Create(config, Trainer.Batch.Seed), tokenizer, CopyOf(folder), null);
    }

    private Beginning LoadShape()
    {
        MambaConfig shape = Shapes.Of(Shape);
        int width = Width ?? shape.DModel;
        long inner = (long)(Expand ?? UsualExpand) * width;
        MambaConfig sizes = new MambaConfig
        {
            DModel = width,
            NLayer = Layers ?? shape.NLayer,
            DState = States ?? shape.DState,
            DInner = inner <= int.MaxValue ? (int)inner : throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture, $"--expand {Expand}: expected expand x d_model below 2^31, found {inner}")),
            VocabSize = ByteTokenizer.Size,
        }.Validate();
        CheckMemory(sizes, Trainer, Device.IsProcessor, MemoryRemedy);
        return new(MambaLanguageModel.Create(sizes, Trainer.Batch.Seed), new ByteTokenizer(), static folder => SideFiles.RemoveOthers(folder, []), null);
    }

    // The tokenizer of a GGUF file goes into a folder as mamba convert writes it.
    private static Action<string> SideFilesOf(string path, ModelSource source) =>
        source.Metadata is { } metadata && GgufSideFiles.ToFolder(metadata, source.Config) is { } write ? folder => write(folder) : CopyOf(path);

    private static Action<string> CopyOf(string folder) => destination => SideFiles.Copy(folder, destination, withDocuments: false);

    /// <summary>The recipe for the given data.</summary>
    /// <exception cref="ArgumentException">There are too few tokens for a batch.</exception>
    public TrainerOptions For(TokenDocuments documents)
    {
        long tokens = documents.TokenCount, held = Validation < 1 ? (long)(tokens * Validation) : (long)Math.Min(Validation, long.MaxValue / 2);
        (int windows, int length) = (Trainer.Batch.Windows, Trainer.Batch.Length);
        return (tokens - held) / length >= windows
            ? Trainer with { ValidationTokens = held }
            : throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"{Data}: expected at least {(long)windows * length} tokens for --batch {windows} of --length {length}, found {Math.Max(0, tokens - held)} of {tokens} beside {held} for validation; give more data, or a smaller --length, --batch or --validation"));
    }

    /// <summary>Rejects sizes that do not fit this machine's memory, before any is allocated.</summary>
    /// <param name="config">The sizes of the model.</param>
    /// <param name="trainer">The recipe.</param>
    /// <param name="onProcessor">Whether activations lie in this memory too; another device checks its own.</param>
    /// <param name="remedy">What to do where they do not fit.</param>
    /// <exception cref="ArgumentException">Model and batch need more memory than there is.</exception>
    public static void CheckMemory(MambaConfig config, TrainerOptions trainer, bool onProcessor, string remedy)
    {
        double rows = (double)trainer.Batch.Windows * trainer.Batch.Length, width = config.DModel, inner = config.DInner;
        double kept = config.NLayer * (width + (2 * inner) + config.DtRank + (2 * config.DState) + (inner * config.DState / 16));
        double weights = config.ParameterCount * (trainer.AverageDecay > 0 ? 5.0 : 4.0);
        double bytes = sizeof(float) * (weights + (onProcessor ? rows * (kept + (4 * width) + (6 * inner)) : 0));
        double most = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (weights * sizeof(float) > most)
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"a model of {config.ParameterCount} parameters: expected to fit {most / 1e9:F1} GB of memory, found that training needs about {bytes / 1e9:F1} GB; take a smaller model"));
        }

        if (bytes > most)
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"--batch {trainer.Batch.Windows} of --length {trainer.Batch.Length} and a model of {config.ParameterCount} parameters: expected to fit {most / 1e9:F1} GB of memory, found that they need about {bytes / 1e9:F1} GB; {remedy}"));
        }
    }

    /// <summary>What a run begins with.</summary>
    /// <param name="Model">The weights.</param>
    /// <param name="Tokenizer">Turns the data into ids.</param>
    /// <param name="SaveSideFiles">Writes the files of the tokenizer and of generation into a folder.</param>
    /// <param name="Source">Owns the weights, if not null: disposed after the trainer has copied them.</param>
    internal sealed record Beginning(MambaLanguageModel Model, Tokenizer Tokenizer, Action<string> SaveSideFiles, ModelSource? Source);
}
