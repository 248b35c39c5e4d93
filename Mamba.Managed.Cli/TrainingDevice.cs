using System.CommandLine;
using System.Globalization;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary>Where models train, as <c>--device</c> says.</summary>
/// <param name="parsed">The arguments.</param>
/// <param name="device">The option.</param>
internal sealed class TrainingDevice(ParseResult parsed, Option<string> device)
{
    /// <summary>Whether the processor was asked for, by its own name.</summary>
    public bool IsProcessor => DeviceOption.IsProcessor(parsed, device);

    /// <summary>Puts a model in training.</summary>
    /// <param name="model">The first weights; copied.</param>
    /// <param name="options">The recipe.</param>
    public ITrainingEngine Create(MambaLanguageModel model, TrainerOptions options) => TryElsewhere(model, options) ?? new CpuTrainingEngine(model, options);

    /// <summary>Puts a model in training.</summary>
    /// <param name="model">The first weights, in memory of their own; freed with the engine, or at once where it has copied them.</param>
    /// <param name="options">The recipe.</param>
    public ITrainingEngine TakeOver(MambaLanguageModel model, TrainerOptions options) =>
        TryElsewhere(model, options) ?? CpuTrainingEngine.TakeOver(model, options);

    /// <summary>What computes, in words.</summary>
    public string Runner(ITrainingEngine engine) =>
        engine is CpuTrainingEngine processor ? string.Create(CultureInfo.InvariantCulture, $"threads {processor.Threads}") : parsed.GetValue(device)!;

    /// <summary>Multiply-adds of what computes, in 10^9 operations a second.</summary>
    /// <param name="engine">What computes.</param>
    /// <param name="rounds">Other load lowers the measured peak and would make shares look better, so the greatest of several measurements counts.</param>
    public double Peak(ITrainingEngine engine, int rounds) => engine is CpuTrainingEngine processor
        ? Enumerable.Range(0, rounds).Max(_ => MachineLimits.Measure(processor.Threads).FmaGigaflopsPerSecond)
        : DevicePlugin.Load().MeasurePeak(parsed.GetValue(device)!).FmaGigaflopsPerSecond;

    private ITrainingEngine? TryElsewhere(MambaLanguageModel model, TrainerOptions options) =>
        DeviceOption.TryElsewhere(parsed, device, (provider, selector) => provider.CreateTrainingEngine(model, options, selector));
}
