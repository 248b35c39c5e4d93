using System.Diagnostics;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>Makes the engine of a run.</summary>
/// <param name="model">The first weights; copied by the engine.</param>
/// <param name="options">The recipe, of which the optimizer and the decay of the average are the engine's part.</param>
public delegate ITrainingEngine TrainingEngineFactory(MambaLanguageModel model, TrainerOptions options);

/// <summary>Trains a model on documents or another source of batches, and writes checkpoints from which a resumed run gives the same bits.</summary>
/// <remarks>
/// Calls from several threads are serialized, and <see cref="Dispose"/> waits for the running step. This object owns its engine and weights and
/// disposes them; to keep the weights, copy them first with <see cref="MambaLanguageModel.CopyToFloat32"/>. A run that is resumed on another kind
/// of engine goes on within rounding, but not to the same bits.
/// </remarks>
public sealed class Trainer : IDisposable
{
    private readonly Lock gate = new();
    private readonly IBatchSource source;
    private readonly StateBackup carried;
    private readonly string? folder;
    private bool disposed;

    /// <summary>Prepares a run on documents.</summary>
    /// <param name="model">The first weights; copied.</param>
    /// <param name="documents">The data.</param>
    /// <param name="options">The recipe.</param>
    /// <param name="folder">Where checkpoints go; null for none.</param>
    /// <param name="engine">Makes the engine for the first weights and the recipe; null for one on the processor's cores.</param>
    /// <exception cref="ArgumentException">An option is out of range, the data are too few for a batch, or hold an id outside of the model's vocabulary.</exception>
    public Trainer(MambaLanguageModel model, TokenDocuments documents, TrainerOptions options, string? folder = null, TrainingEngineFactory? engine = null)
        : this(model, Cut(model, documents, options), options, folder, engine)
    {
    }

    /// <summary>Prepares a run on batches from anywhere.</summary>
    /// <param name="model">The first weights; copied.</param>
    /// <param name="source">The batches; the source itself applies the options for cutting and validation, if it uses them.</param>
    /// <param name="options">The recipe.</param>
    /// <param name="folder">Where checkpoints go; null for none.</param>
    /// <param name="engine">Makes the engine for the first weights and the recipe; null for one on the processor's cores.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public Trainer(MambaLanguageModel model, IBatchSource source, TrainerOptions options, string? folder = null, TrainingEngineFactory? engine = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        (this.source, this.folder) = (source, folder);
        Options = options.Validate();
        carried = new StateBackup(model.Config);
        Engine = engine is null ? new CpuTrainingEngine(model, options) : engine(model, options);
    }

    /// <summary>The recipe.</summary>
    public TrainerOptions Options { get; }

    /// <summary>The weights; written by every step. Those of another device are copied from it first.</summary>
    public MambaLanguageModel Model
    {
        get
        {
            Engine.Download();
            return Engine.Model;
        }
    }

    /// <summary>The weights to generate with: the averaged ones where the recipe averages, else those of <see cref="Model"/>.</summary>
    public MambaLanguageModel Result
    {
        get
        {
            MambaLanguageModel weights = Model;
            return Engine.Average ?? weights;
        }
    }

    /// <summary>Steps made.</summary>
    public long Step => Engine.Steps;

    /// <summary>The least validation loss so far, and after which step; null before the first.</summary>
    public (double Loss, long Step)? Best { get; private set; }

    internal ITrainingEngine Engine { get; }

    internal IReadOnlyList<CpuState> Tracks => source.Tracks;

    internal string Recipe => Options.Recipe(source.Description);

    /// <summary>Resumes from the newest undamaged checkpoint of the run's folder.</summary>
    /// <returns>The damaged checkpoints that were skipped, each with the reason.</returns>
    /// <exception cref="InvalidOperationException">The run has no folder.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no checkpoint.</exception>
    /// <exception cref="InvalidDataException">The checkpoints belong to another model or recipe, or all are damaged.</exception>
    public IReadOnlyList<string> Resume()
    {
        if (folder is null)
        {
            throw new InvalidOperationException("expected a run with a folder, found none; give the folder of the run to continue");
        }

        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            (RunCheckpoint checkpoint, IReadOnlyList<string> damaged) = RunCheckpoint.Newest(folder);
            checkpoint.CopyTo(this);
            Engine.Upload(checkpoint.Step);
            Best = checkpoint.Best;

            // The run may have been killed after its checkpoint was written and before the weights were published.
            RunCheckpoint.Publish(folder, this);
            return damaged;
        }
    }

    /// <summary>Runs to the last step of the recipe.</summary>
    /// <param name="progress">Receives every step, before its checkpoint is written; null for none.</param>
    /// <param name="cancellationToken">Checked between steps; a canceled run saves before it ends.</param>
    /// <exception cref="OperationCanceledException">The run was canceled; its state is saved if it has a folder.</exception>
    /// <exception cref="NonFiniteException">A loss or gradient is not finite; the step has changed nothing.</exception>
    /// <exception cref="ObjectDisposedException">The run has been disposed.</exception>
    public void Run(IProgress<TrainingReport>? progress = null, CancellationToken cancellationToken = default)
    {
        while (Step < Options.Steps)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                Save();
                cancellationToken.ThrowIfCancellationRequested();
            }

            Advance(progress);
        }
    }

    /// <summary>Makes one step; validates and saves when it is due, and saves when validation finds the best weights so far.</summary>
    /// <param name="progress">
    /// Receives the step before its checkpoint is written, so that a log of the run is never behind its checkpoints; null for none.
    /// </param>
    /// <remarks>
    /// If computing the step throws, weights, moments, averages, carried states and <see cref="Step"/> are unchanged. If validating, reporting
    /// or saving throws, the step has been made.
    /// </remarks>
    /// <exception cref="NonFiniteException">A loss or gradient is not finite; the step has changed nothing.</exception>
    /// <exception cref="ObjectDisposedException">The run has been disposed.</exception>
    public TrainingReport Advance(IProgress<TrainingReport>? progress = null)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            TrainingReport made = Move();
            double? validation = Due(Options.ValidateEvery) && source.HasValidation ? Validate() : null;
            bool save = folder is not null && (Due(Options.SaveEvery) || (validation is not null && Best?.Step == Step));
            made = made with { Validation = validation, Saved = save };
            progress?.Report(made);
            if (save)
            {
                Save();
            }

            return made;
        }
    }

    /// <summary>Mean nats per target of the validation data.</summary>
    /// <exception cref="InvalidOperationException">There is no validation data.</exception>
    public double Validate()
    {
        if (!source.HasValidation)
        {
            throw new InvalidOperationException("expected at least 2 validation tokens; keep some in TrainerOptions.ValidationTokens");
        }

        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            (double sum, long count) = (0, 0);
            foreach (TrainingBatch batch in source.Validation())
            {
                TrainingLoss loss = Engine.Evaluate(batch, averaged: true);
                sum += loss.Sum;
                count += loss.Count;
            }

            double mean = sum / Math.Max(count, 1);
            if (Best is null || mean < Best.Value.Loss)
            {
                Best = (mean, Step);
            }

            return mean;
        }
    }

    /// <summary>Writes a checkpoint now; does nothing for a run without a folder.</summary>
    /// <exception cref="ObjectDisposedException">The run has been disposed.</exception>
    public void Save()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (folder is not null)
            {
                RunCheckpoint.Save(folder, this);
            }
        }
    }

    /// <inheritdoc/>
    /// <remarks>Waits for the running step and frees all memory, including that of <see cref="Model"/> and <see cref="Result"/>.</remarks>
    public void Dispose()
    {
        lock (gate)
        {
            disposed = true;
            Engine.Dispose();
            carried.Dispose();
        }
    }

    // Computes a step and updates the weights; if it throws, nothing has changed.
    private TrainingReport Move()
    {
        carried.Take(source.Tracks);
        try
        {
            Stopwatch watch = Stopwatch.StartNew();
            (long step, double rate, double sum, int count, int rows) = (Step, Options.Schedule.Rate(Step), 0, 0, 0);
            Engine.ClearGradients();

            double divisor = 0;
            for (int i = 0; Options.Accumulate > 1 && i < Options.Accumulate; i++)
            {
                divisor += source.TargetCount((step * Options.Accumulate) + i);
            }

            for (int i = 0; i < Options.Accumulate; i++)
            {
                long number = (step * Options.Accumulate) + i;
                TrainingBatch batch = source.Batch(number);
                TrainingLoss loss = Engine.Run(batch, divisor, new Dropout(Options.Dropout, Options.Batch.Seed + (ulong)number));
                sum += loss.Sum;
                count += loss.Count;
                rows += batch.Tokens.Length;
            }

            double norm = Engine.Step(rate);
            return new(Step, sum / Math.Max(count, 1), norm, rate, rows, watch.Elapsed, null, false);
        }
        catch
        {
            carried.Restore(source.Tracks);
            throw;
        }
    }

    private bool Due(long every) => Step == Options.Steps || (every > 0 && Step % every == 0);

    private static DocumentBatches Cut(MambaLanguageModel model, TokenDocuments documents, TrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(options);
        return new(documents, model.Config, options.Validate());
    }
}
