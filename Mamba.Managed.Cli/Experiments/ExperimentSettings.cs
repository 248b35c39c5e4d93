using Mamba.Managed.Evaluation;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli.Experiments;

/// <summary>The settings of <c>mamba experiment</c>.</summary>
internal sealed record ExperimentSettings
{
    /// <summary>The least length at which a trained model is measured.</summary>
    public const int LeastMeasured = 64;

    /// <summary>Sequences measured at each checkpoint.</summary>
    public const int SequencesInTraining = 64;

    public required SyntheticTask Task { get; init; }

    public required string Output { get; init; }

    /// <summary>How the length of training grows; null for a constant length.</summary>
    public LengthGrowth? Growth { get; init; }

    /// <summary>The greatest length at which a trained model is measured.</summary>
    public required int Longest { get; init; }

    /// <summary>Sequences measured at each length.</summary>
    public required int Sequences { get; init; }

    public bool Resume { get; init; }

    public required TrainerOptions Trainer { get; init; }

    /// <summary>The paper's sizes: two layers, 64 features.</summary>
    public static MambaConfig Model { get; } = new MambaConfig { DModel = 64, NLayer = 2, VocabSize = SyntheticTask.VocabSize }.Validate();

    /// <summary>The lengths at which a trained model is measured: powers of two.</summary>
    public IEnumerable<int> Lengths
    {
        get
        {
            for (long length = LeastMeasured; length <= Longest; length *= 2)
            {
                yield return (int)length;
            }
        }
    }
}
