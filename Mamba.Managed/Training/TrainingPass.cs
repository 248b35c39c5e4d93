using Mamba.Managed.Models;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>Runs batches forward and backward through a model on the processor's cores.</summary>
/// <remarks>
/// Losses and gradients are the same bits with any number of threads, and losses and states are those of each sequence alone. The memory for
/// activations is reused from batch to batch. Calls from several threads, and steps of an <see cref="AdamW"/> that uses these threads, are
/// serialized. A call copies its batch before it checks it; weights, gradients and states that are disposed meanwhile are freed after it. A call
/// that throws leaves weights, states and state gradients unchanged; gradients are unchanged only if an argument was invalid.
/// </remarks>
public sealed class TrainingPass : IDisposable
{
    private readonly Lock gate = new();
    private readonly WorkerPool pool;
    private readonly PassContext context;
    private readonly StateBackup backup;

    /// <summary>Prepares passes over models of one configuration.</summary>
    /// <param name="config">The sizes.</param>
    /// <param name="threads">Threads that compute, the caller included; 0 for one per processor.</param>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public TrainingPass(MambaConfig config, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(config);
        Config = config.Validate();
        backup = new StateBackup(config);
        pool = new WorkerPool(threads);
        try
        {
            context = new PassContext(config, pool.Count);
        }
        catch
        {
            pool.Dispose();
            throw;
        }
    }

    /// <summary>The sizes of the models.</summary>
    public MambaConfig Config { get; }

    /// <summary>Threads that compute, the caller included.</summary>
    public int Threads => pool.Count;

    /// <summary>Memory held for activations, in bytes.</summary>
    public long ByteLength => context.Workspace.ByteLength;

    /// <summary>The loss of a batch, without gradients.</summary>
    /// <param name="model">The weights, Float32.</param>
    /// <param name="batch">The tokens; its states are advanced.</param>
    /// <exception cref="ArgumentException">The batch or the model does not fit the configuration; nothing was changed.</exception>
    /// <exception cref="ObjectDisposedException">The pass, or memory of the model or a state, has been disposed; nothing was changed.</exception>
    public TrainingLoss Evaluate(MambaLanguageModel model, TrainingBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        return Compute(model, new CheckedBatch(batch, Config), null, 1, default);
    }

    /// <summary>The loss of a batch; its gradients are added to <paramref name="gradients"/>.</summary>
    /// <param name="model">The weights, Float32.</param>
    /// <param name="batch">The tokens; its states are advanced, its state gradients propagated back to the beginning.</param>
    /// <param name="gradients">The gradients of the same model; added to, so that those of several batches can be accumulated.</param>
    /// <param name="divisor">The divisor of the summed loss: the number of targets of all accumulated batches; 0 for that of this batch.</param>
    /// <param name="dropout">Drops entries of each block's output; none by default.</param>
    /// <exception cref="ArgumentException">The batch, the model or the gradients do not fit the configuration; nothing was changed.</exception>
    /// <exception cref="NonFiniteException">The loss is not finite: the gradients are invalid and must be cleared; nothing else has changed.</exception>
    /// <exception cref="ObjectDisposedException">The pass, or memory of the model, the gradients or a state, has been disposed; nothing was changed.</exception>
    public TrainingLoss Run(MambaLanguageModel model, TrainingBatch batch, Gradients gradients, double divisor = 0, Dropout dropout = default)
    {
        ArgumentNullException.ThrowIfNull(model);
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

        CheckedBatch copy = new(batch, Config);
        double scale = 1 / (divisor > 0 ? divisor : Math.Max(copy.TargetCount, 1));
        return Compute(model, copy, gradients, scale, dropout);
    }

    /// <inheritdoc/>
    /// <remarks>Waits for the running call; later calls throw <see cref="ObjectDisposedException"/>.</remarks>
    public void Dispose()
    {
        lock (gate)
        {
            pool.Dispose();
            context.Dispose();
            backup.Dispose();
        }
    }

    /// <summary>Runs other work on the threads of this pass, serialized with its own calls.</summary>
    /// <exception cref="ObjectDisposedException">The pass has been disposed.</exception>
    internal void Share(IRegion work)
    {
        lock (gate)
        {
            pool.Run(work);
        }
    }

    private TrainingLoss Compute(MambaLanguageModel model, CheckedBatch batch, Gradients? gradients, double scale, Dropout dropout)
    {
        CheckSizes(model, nameof(model));
        if (gradients is not null)
        {
            CheckSizes(gradients.Tree, nameof(gradients));
            ParameterPairs.Of(model, gradients.Tree, nameof(gradients));
        }

        lock (gate)
        {
            pool.ThrowIfDisposed();
            using MemoryLeases states = new();
            foreach (CpuState state in batch.Written)
            {
                states.Take(state);
            }

            using ParameterPointers weights = new(model);
            using ParameterPointers? slopes = gradients is null ? null : new(gradients.Tree);
            backup.Take(batch.Written);
            try
            {
                context.Begin(weights, slopes, batch, dropout, (float)scale);
                return Run(batch, finite: gradients is not null);
            }
            catch
            {
                backup.Restore(batch.Written);
                throw;
            }
            finally
            {
                context.End();
            }
        }
    }

    private TrainingLoss Run(CheckedBatch batch, bool finite)
    {
        pool.Run(new Region(context));
        double sum = 0;
        for (int row = 0; row < context.Rows; row++)
        {
            sum += context.Workspace.Losses[row];
        }

        if (finite && !double.IsFinite(sum))
        {
            throw NonFiniteException.Of("the loss");
        }

        batch.MoveOn();
        return new(sum, batch.TargetCount);
    }

    private void CheckSizes(MambaLanguageModel model, string name)
    {
        if (model.Config != Config)
        {
            Throw.Argument($"expected a model of the pass's configuration, found {model}", name);
        }

        model.Validate();
    }

    private sealed class Region(PassContext context) : IRegion
    {
        public void Execute(Worker worker)
        {
            ForwardPass.Run(worker, context);
            HeadPass.Run(worker, context);
            if (context.Gradients is not null)
            {
                BackwardPass.Run(worker, context);
            }
        }
    }
}
