using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>An exponential moving average of a model's weights; the same bits with any number of threads.</summary>
/// <remarks>Polyak and Juditsky 1992, with the weights of late steps counting more: average = average + (1 - decay) (weight - average).</remarks>
internal sealed unsafe class WeightAverage : IRegion
{
    private readonly double decay;
    private readonly (Tensor Average, Tensor Weight)[] parameters;
    private float share;

    /// <summary>Begins with the weights as they are.</summary>
    public WeightAverage(MambaLanguageModel model, double decay)
    {
        this.decay = decay;
        Model = Weights.Copy(model);
        parameters = [.. Model.Parameters().Zip(model.Parameters(), (average, weight) => (average.Value, weight.Value))];
    }

    /// <summary>The averaged weights.</summary>
    public MambaLanguageModel Model { get; }

    /// <summary>Takes in the weights after a step.</summary>
    /// <param name="step">Steps made, at least 1.</param>
    /// <param name="pass">Whose threads compute.</param>
    public void Follow(long step, TrainingPass pass)
    {
        share = (float)(1 - Math.Min(decay, (1.0 + step) / (10.0 + step)));
        pass.Pool.Run(this);
    }

    /// <inheritdoc/>
    public void Execute(Worker worker)
    {
        foreach ((Tensor average, Tensor weight) in parameters)
        {
            (int start, int end) = worker.Range(weight.Count, 16);
            MovingAverage.Run(ParameterPointers.Of(average) + start, ParameterPointers.Of(weight) + start, share, end - start);
        }
    }
}
