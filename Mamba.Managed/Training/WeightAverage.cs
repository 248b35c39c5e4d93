using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>An exponential moving average of a model's weights; the same bits with any number of threads.</summary>
/// <remarks>
/// Polyak and Juditsky 1992, with exponentially decaying contributions: average = average + (1 - decay) (weight - average). Owns the averages,
/// not the weights.
/// </remarks>
internal sealed unsafe class WeightAverage : IDisposable
{
    private readonly Lock gate = new();
    private readonly double decay;
    private readonly ParameterPair[] parameters;

    /// <summary>Initializes the averages with the weights.</summary>
    public WeightAverage(MambaLanguageModel model, double decay)
    {
        this.decay = decay;
        Model = model.CopyToFloat32();
        parameters = ParameterPairs.Of(model, Model, nameof(model));
    }

    /// <summary>The averaged weights.</summary>
    public MambaLanguageModel Model { get; }

    /// <summary>Leases what <see cref="Follow"/> touches: before the weights take the step that it follows, so that it cannot fail after it.</summary>
    /// <exception cref="ObjectDisposedException">Memory of the weights or the averages has been disposed.</exception>
    public void Lease(MemoryLeases leases)
    {
        foreach ((_, Tensor weight, Tensor average) in parameters)
        {
            leases.Take(weight);
            leases.Take(average);
        }
    }

    /// <summary>Updates the averages after a step, under <see cref="Lease"/>.</summary>
    /// <param name="step">Steps made, at least 1.</param>
    /// <param name="pass">The pass on whose threads the update runs.</param>
    /// <exception cref="ObjectDisposedException">The pass has been disposed; nothing was changed.</exception>
    public void Follow(long step, TrainingPass pass)
    {
        lock (gate)
        {
            pass.Share(new Region(parameters, (float)(1 - Math.Min(decay, (1.0 + step) / (10.0 + step)))));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Model.DisposeParameters();

    private sealed class Region(ParameterPair[] parameters, float share) : IRegion
    {
        public void Execute(Worker worker)
        {
            foreach ((_, Tensor weight, Tensor average) in parameters)
            {
                (int start, int end) = worker.Range(weight.Count, 16);
                MovingAverage.Run(ParameterPointers.Of(average) + start, ParameterPointers.Of(weight) + start, share, end - start);
            }
        }
    }
}
