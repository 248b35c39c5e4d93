using System.Globalization;
using Mamba.Managed.Cli;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>A run small enough for a test: in this process, or in a child that a test may kill.</summary>
internal static class TrainingChild
{
    public const int Steps = 30;

    public static MambaConfig Config { get; } = new() { DModel = 24, NLayer = 2, VocabSize = 32 };

    /// <summary>Trains to the end in the folder that the argument names, going on from what is there.</summary>
    /// <remarks>The second argument says whether windows carry their state; a third is the step in which the run waits to be killed, 0 for none.</remarks>
    public static int Run(string[] args)
    {
        using Trainer trainer = Create(args[0], bool.Parse(args[1]));
        if (Directory.Exists(args[0]) && Directory.GetDirectories(args[0]).Any(folder => !folder.EndsWith(".tmp", StringComparison.Ordinal)))
        {
            trainer.Resume();
        }

        int last = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 0;
        trainer.Run(new Listener<TrainingReport>(report => Thread.Sleep(report.Step == last ? Timeout.Infinite : 0)));
        return 0;
    }

    public static Trainer Create(string? folder, bool carry) =>
        new(MambaLanguageModel.Create(Config, 1), Documents(), Options(carry), folder);

    public static TrainerOptions Options(bool carry) => new()
    {
        Steps = Steps,
        Schedule = new LearningRateSchedule(0.01, 5, Steps, 0.001),
        Batch = new BatchOptions { Windows = 2, Length = 24, Seed = 3, CarryState = carry },
        Accumulate = 2,
        Dropout = 0.1f,
        AverageDecay = 0.9,
        ValidationTokens = 200,
        ValidateEvery = 4,
        SaveEvery = 1,
        KeepLast = 2,
        Threads = 2,
    };

    public static TokenDocuments Documents()
    {
        Random random = new(1);
        return TokenDocuments.Of(Enumerable.Range(0, 60).Select(_ =>
        {
            int start = random.Next(32), step = random.Next(1, 4);
            return Enumerable.Range(0, random.Next(2, 70)).Select(i => (start + (i * step)) % 32).ToArray();
        }));
    }

    public static string FinalFolder(string run) => Path.Combine(run, "step-" + Steps.ToString("D8", CultureInfo.InvariantCulture));
}
