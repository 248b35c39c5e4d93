using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>Batches cut from documents, the last tokens kept for validation.</summary>
internal sealed class DocumentBatches : IBatchSource
{
    private readonly TokenDocuments documents;
    private readonly TrainerOptions options;
    private readonly BatchSampler sampler;
    private readonly long trainingEnd;

    /// <summary>Prepares to cut documents with the options of a run.</summary>
    /// <exception cref="ArgumentException">The documents are too few for a batch, or hold an id outside of the vocabulary.</exception>
    public DocumentBatches(TokenDocuments documents, MambaConfig config, TrainerOptions options)
    {
        (this.documents, this.options) = (documents, options);
        if (documents.FirstOutside(config.VocabSize) is { } outside)
        {
            Throw.Argument(outside, nameof(documents));
        }

        trainingEnd = documents.TokenCount - options.ValidationTokens;
        sampler = new BatchSampler(documents, 0, Math.Max(0, trainingEnd), config, options.Batch);
    }

    /// <inheritdoc/>
    public string Description => documents.Description;

    /// <inheritdoc/>
    public bool HasValidation => options.ValidationTokens > 1;

    /// <inheritdoc/>
    public IReadOnlyList<CpuState> Tracks => sampler.Tracks;

    /// <inheritdoc/>
    public TrainingBatch Batch(long number) => sampler.Batch(number);

    /// <inheritdoc/>
    public int TargetCount(long number) => sampler.TargetCount(number);

    /// <summary>Windows of the run's length, each from a zero state.</summary>
    public IEnumerable<TrainingBatch> Validation()
    {
        DocumentLine line = new(documents, trainingEnd, documents.TokenCount, null);
        int most = options.Batch.Windows * options.Batch.Length;
        for (long start = 0; start < line.Length; start += most)
        {
            int rows = (int)Math.Min(most, line.Length - start);
            int[] tokens = new int[rows], targets = new int[rows];
            List<int> lengths = [];
            for (int row = 0; row < rows; row += options.Batch.Length)
            {
                int length = Math.Min(options.Batch.Length, rows - row);
                line.Cut(start + row, tokens.AsSpan(row, length), targets.AsSpan(row, length), lengths);
            }

            yield return new TrainingBatch(tokens, targets, lengths.ToArray());
        }
    }
}
