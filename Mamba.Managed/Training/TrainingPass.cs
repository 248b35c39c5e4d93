using Mamba.Managed.Models;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>Runs batches forward and backward through a model on the processor's cores.</summary>
/// <remarks>
/// Losses and gradients are the same bits with any number of threads, and losses and states those of each sequence alone. The memory for
/// activations is kept from batch to batch. One call at a time.
/// </remarks>
public sealed class TrainingPass : IDisposable
{
    private readonly Lock gate = new();
    private readonly TrainingStep step;

    /// <summary>Prepares passes over models of one configuration.</summary>
    /// <param name="config">The sizes.</param>
    /// <param name="threads">Threads that compute, the caller included; 0 for one per processor.</param>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public TrainingPass(MambaConfig config, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(config);
        Config = config.Validate();
        Pool = new WorkerPool(threads);
        step = new TrainingStep(config, Pool.Count);
    }

    /// <summary>The sizes of the models.</summary>
    public MambaConfig Config { get; }

    /// <summary>Threads that compute, the caller included.</summary>
    public int Threads => Pool.Count;

    /// <summary>Memory held for activations, in bytes.</summary>
    public long ByteLength => step.Workspace.ByteLength;

    internal WorkerPool Pool { get; }

    /// <summary>The loss of a batch, without gradients.</summary>
    /// <param name="model">The weights, Float32.</param>
    /// <param name="batch">The tokens; its states are moved on.</param>
    /// <exception cref="ArgumentException">The batch or the model does not fit the configuration.</exception>
    public TrainingLoss Evaluate(MambaLanguageModel model, TrainingBatch batch) => Compute(model, batch, null, 1, default);

    /// <summary>The loss of a batch; its gradients are added to <paramref name="gradients"/>.</summary>
    /// <param name="model">The weights, Float32.</param>
    /// <param name="batch">The tokens; its states are moved on, its state gradients moved back.</param>
    /// <param name="gradients">Of the same model; added to, so that several batches count as one.</param>
    /// <param name="divisor">What the summed loss is divided by before gradients are taken: the targets of all batches that count as one; 0 for those of this batch.</param>
    /// <param name="dropout">Drops entries of each block's output; none by default.</param>
    /// <exception cref="ArgumentException">The batch, the model or the gradients do not fit the configuration.</exception>
    /// <exception cref="NonFiniteException">The loss is not finite; the gradients are of no use and must be cleared.</exception>
    public TrainingLoss Run(MambaLanguageModel model, TrainingBatch batch, Gradients gradients, double divisor = 0, Dropout dropout = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(gradients);
        if (!(divisor >= 0) || double.IsInfinity(divisor))
        {
            Throw.Argument(Throw.Invariant($"expected a positive number of targets, or 0 for those of the batch, found {divisor}"), nameof(divisor));
        }

        if (!(dropout.Rate >= 0 && dropout.Rate < 1))
        {
            Throw.Argument(Throw.Invariant($"expected a rate from 0 up to but not including 1, found {dropout.Rate}"), nameof(dropout));
        }

        double scale = 1 / (divisor > 0 ? divisor : Math.Max(batch.TargetCount, 1));
        TrainingLoss loss = Compute(model, batch, gradients.Tree, scale, dropout);
        return double.IsFinite(loss.Sum) ? loss : throw new NonFiniteException("the loss");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Pool.Dispose();
        step.Dispose();
    }

    private TrainingLoss Compute(MambaLanguageModel model, TrainingBatch batch, MambaLanguageModel? gradients, double scale, Dropout dropout)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        CheckSizes(model, nameof(model));
        if (gradients is not null)
        {
            CheckSizes(gradients, nameof(gradients));
        }

        batch.Check(Config);
        lock (gate)
        {
            step.Begin(new ParameterPointers(model), gradients is null ? null : new ParameterPointers(gradients), batch, dropout, (float)scale);
            try
            {
                Pool.Run(new Region(step));
                double sum = 0;
                for (int row = 0; row < step.Rows; row++)
                {
                    sum += step.Workspace.Losses[row];
                }

                MoveOn(batch);
                return new(sum, batch.TargetCount);
            }
            finally
            {
                step.End();
            }
        }
    }

    private static void MoveOn(TrainingBatch batch)
    {
        for (int i = 0; i < batch.States?.Count; i++)
        {
            batch.States[i].Position += batch.Lengths.Span[i];
        }
    }

    private void CheckSizes(MambaLanguageModel model, string name)
    {
        if (model.Config != Config)
        {
            Throw.Argument($"expected a model of the pass's configuration, found {model}", name);
        }

        model.Validate();
    }

    private sealed class Region(TrainingStep step) : IRegion
    {
        public void Execute(Worker worker)
        {
            ForwardHalf.Run(worker, step);
            HeadHalf.Run(worker, step);
            if (step.Gradients is not null)
            {
                BackwardHalf.Run(worker, step);
            }
        }
    }
}
