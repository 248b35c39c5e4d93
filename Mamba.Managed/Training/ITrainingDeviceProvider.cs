using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>An optional assembly's devices on which models also train: found as an <see cref="IDeviceProvider"/> is.</summary>
public interface ITrainingDeviceProvider : IDeviceProvider
{
    /// <summary>Puts a model in training on a device: a <see cref="TrainingEngineFactory"/> for that device.</summary>
    /// <param name="model">The first weights; copied.</param>
    /// <param name="options">The recipe, of which the optimizer and the decay of the average count here.</param>
    /// <param name="device">As for <see cref="IDeviceProvider.CreateExecutor"/>.</param>
    /// <exception cref="ArgumentException">The provider does not understand <paramref name="device"/>, or an option is out of range.</exception>
    /// <exception cref="Exception">There is no such device, or it fails, in an exception of the provider's own with a message of one line.</exception>
    ITrainingEngine CreateTrainingEngine(MambaLanguageModel model, TrainerOptions options, string device);
}
