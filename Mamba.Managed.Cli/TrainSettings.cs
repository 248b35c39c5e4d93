using System.Globalization;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>The settings of <c>mamba train</c>.</summary>
internal sealed record TrainSettings
{
    /// <summary>The remedy that an error names if memory does not suffice.</summary>
    public const string MemoryRemedy = "lower --batch or --length and raise --accumulate";

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

    public bool Resume { get; init; }

    /// <summary>The recipe, except the number of validation tokens.</summary>
    public required TrainerOptions Trainer { get; init; }

    /// <summary>The initial weights, their tokenizer, and the tokenizer's file if there is one.</summary>
    /// <remarks>The source, if any, owns the weights: it is disposed after the trainer has copied them.</remarks>
    public (MambaLanguageModel Model, Tokenizer Tokenizer, string? TokenizerFile, ModelSource? Source) Load()
    {
        ulong seed = Trainer.Batch.Seed;
        if (Init is not null)
        {
            ModelSource source = ModelSource.Open(Init);
            Tokenizer tokenizer = source.Tokenizer;
            string file = Path.Combine(Init, ModelTokenizer.FileName);
            return tokenizer is ByteTokenizer || File.Exists(file)
                ? (source.Model, tokenizer, File.Exists(file) ? file : null, source)
                : throw new ArgumentException($"--init {Init}: expected a model folder with {ModelTokenizer.FileName}, found a GGUF file with a tokenizer that a folder cannot hold; give the folder it was made from");
        }

        if (Config is not null)
        {
            MambaConfig config = ConfigFile.ReadForNewModel(Config);
            string folder = Path.GetDirectoryName(Path.GetFullPath(Config))!, file = Path.Combine(folder, ModelTokenizer.FileName);
            return (MambaLanguageModel.Create(config, seed), ModelTokenizer.Load(folder, config), File.Exists(file) ? file : null, null);
        }

        MambaConfig shape = Shapes.Of(Shape);
        int width = Width ?? shape.DModel;
        MambaConfig sizes = new MambaConfig
        {
            DModel = width,
            NLayer = Layers ?? shape.NLayer,
            DState = States ?? shape.DState,
            DInner = checked((Expand ?? 2) * width),
            VocabSize = ByteTokenizer.Size,
        }.Validate();
        CheckMemory(sizes, Trainer, MemoryRemedy);
        return (MambaLanguageModel.Create(sizes, seed), new ByteTokenizer(), null, null);
    }

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
    /// <exception cref="ArgumentException">Model and batch need more memory than there is.</exception>
    public static void CheckMemory(MambaConfig config, TrainerOptions trainer, string remedy)
    {
        double rows = (double)trainer.Batch.Windows * trainer.Batch.Length, width = config.DModel, inner = config.DInner;
        double kept = config.NLayer * (width + (2 * inner) + config.DtRank + (2 * config.DState) + (inner * config.DState / 16));
        double weights = config.ParameterCount * (trainer.AverageDecay > 0 ? 5.0 : 4.0);
        double bytes = sizeof(float) * (weights + (rows * (kept + (4 * width) + (6 * inner))));
        double most = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (bytes > most)
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"--batch {trainer.Batch.Windows} of --length {trainer.Batch.Length} and a model of {config.ParameterCount} parameters: expected to fit {most / 1e9:F1} GB of memory, found that they need about {bytes / 1e9:F1} GB; {remedy}"));
        }
    }
}
