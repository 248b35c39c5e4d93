using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>An exponential moving average of a model's weights; the same bits with any number of threads.</summary>
/// <remarks>
/// Polyak and Juditsky 1992, with the weights of late steps counting more: average = average + (1 - decay) (weight - average). Owns the averages, not the
/// weights.
/// </remarks>
internal sealed unsafe class WeightAverage : IDisposable
{
    private readonly Lock gate = new();
    private readonly double decay;
    private readonly ParameterPair[] parameters;

    /// <summary>Begins with the weights as they are.</summary>
    public WeightAverage(MambaLanguageModel model, double decay)
    {
        this.decay = decay;
        Model = model.CopyToFloat32();
        parameters = ParameterPairs.Of(model, Model, nameof(model));
    }

    /// <summary>The averaged weights.</summary>
    public MambaLanguageModel Model { get; }

    /// <summary>Takes in the weights after a step.</summary>
    /// <param name="step">Steps made, at least 1.</param>
    /// <param name="pass">Whose threads compute.</param>
    /// <exception cref="ObjectDisposedException">The pass, or memory of the weights or the averages, has been disposed; nothing was changed.</exception>
    public void Follow(long step, TrainingPass pass)
    {
        lock (gate)
        {
            using MemoryLeases leases = new();
            foreach ((string path, Tensor weight, Tensor average) in parameters)
            {
                leases.Take(path, weight);
                leases.Take(path, average);
            }

            pass.Share(new Region(parameters, (float)(1 - Math.Min(decay, (1.0 + step) / (10.0 + step)))));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, Tensor average) in Model.Parameters())
        {
            average.Buffer.Dispose();
        }
    }

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
