using Mamba.Managed.Evaluation;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli.Experiments;

/// <summary>What <c>mamba experiment</c> is asked to do.</summary>
internal sealed record ExperimentSettings
{
    /// <summary>The least length that a trained model is measured at.</summary>
    public const int LeastMeasured = 64;

    /// <summary>Sequences that are asked with each checkpoint.</summary>
    public const int SequencesInTraining = 64;

    public required SyntheticTask Task { get; init; }

    public required string Output { get; init; }

    /// <summary>How training reaches its length; null for that length alone.</summary>
    public LengthGrowth? Growth { get; init; }

    /// <summary>The greatest length that a trained model is measured at.</summary>
    public required int Longest { get; init; }

    /// <summary>Sequences that are asked at each length.</summary>
    public required int Sequences { get; init; }

    public bool Resume { get; init; }

    public required TrainerOptions Trainer { get; init; }

    /// <summary>The paper's sizes: two layers, 64 features.</summary>
    public static MambaConfig Model { get; } = new MambaConfig { DModel = 64, NLayer = 2, VocabSize = SyntheticTask.VocabSize }.Validate();

    /// <summary>Powers of two.</summary>
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
