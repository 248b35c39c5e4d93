using Mamba.Managed.Layers;
using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>Trains on the processor's cores; the host's copies are the weights, moments and averages themselves.</summary>
/// <remarks>Losses, gradients and steps are the same bits with any number of threads.</remarks>
public sealed class CpuTrainingEngine : ITrainingEngine
{
    private readonly TrainingPass pass;
    private readonly Gradients gradients;
    private readonly AdamW optimizer;
    private readonly WeightAverage? average;

    /// <summary>Prepares to train a model.</summary>
    /// <param name="model">The first weights; copied.</param>
    /// <param name="options">The recipe, of which the optimizer, the decay of the average and the number of threads count here.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public CpuTrainingEngine(MambaLanguageModel model, TrainerOptions options)
        : this(model, options, copies: true)
    {
    }

    private CpuTrainingEngine(MambaLanguageModel model, TrainerOptions options, bool copies)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();

        // The pass owns threads, so it is made first and disposed if a later step fails; memory is left to the garbage collector.
        pass = new TrainingPass(model.Config, options.Threads);
        try
        {
            Model = copies ? model.CopyToFloat32() : model;
            optimizer = new AdamW(Model, options.Optimizer);
            gradients = new Gradients(Model);
            average = options.AverageDecay > 0 ? new WeightAverage(Model, options.AverageDecay) : null;
        }
        catch
        {
            pass.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public MambaLanguageModel Model { get; }

    /// <inheritdoc/>
    public MambaLanguageModel? Average => average?.Model;

    /// <inheritdoc/>
    public MambaLanguageModel FirstMoments => optimizer.FirstMoments;

    /// <inheritdoc/>
    public MambaLanguageModel SecondMoments => optimizer.SecondMoments;

    /// <inheritdoc/>
    public long Steps => optimizer.Steps;

    /// <summary>Threads that compute, the caller included.</summary>
    public int Threads => pass.Threads;

    /// <summary>As the constructor, without a copy: the model's Float32 weights, in memory of their own, are the engine's from now on.</summary>
    internal static CpuTrainingEngine TakeOver(MambaLanguageModel model, TrainerOptions options) => new(model, options, copies: false);

    /// <inheritdoc/>
    public void ClearGradients() => gradients.Clear();

    /// <inheritdoc/>
    public TrainingLoss Run(TrainingBatch batch, double divisor = 0, Dropout dropout = default) => pass.Run(Model, batch, gradients, divisor, dropout);

    /// <inheritdoc/>
    public TrainingLoss Evaluate(TrainingBatch batch, bool averaged = false) => pass.Evaluate(averaged ? Average ?? Model : Model, batch);

    /// <inheritdoc/>
    public double Step(double learningRate)
    {
        using MemoryLeases leases = new();
        average?.Lease(leases);
        double norm = optimizer.Step(gradients, learningRate, pass);
        average?.Follow(Steps, pass);
        return norm;
    }

    /// <inheritdoc/>
    public void Download()
    {
    }

    /// <inheritdoc/>
    public void Upload(long steps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        optimizer.Steps = steps;
    }

    /// <inheritdoc/>
    /// <remarks>Waits for the running call, and frees all memory, that of the host's copies included.</remarks>
    public void Dispose()
    {
        pass.Dispose();
        gradients.Dispose();
        optimizer.Dispose();
        average?.Dispose();
        Model.DisposeParameters();
    }
}
