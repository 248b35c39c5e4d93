using System.CommandLine;
using Mamba.Managed.Evaluation;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli.Experiments;

/// <summary><c>mamba experiment TASK --output DIR</c>: the synthetic tasks of the Mamba paper; the defaults are recipes that solve them.</summary>
internal static class ExperimentCommand
{
    private const long SaveEvery = 500;
    private const long WarmUpSteps = 100;

    public static Command Create() => new("experiment", "Train a small model on a synthetic task of the Mamba paper.")
    {
        Create(
            new SelectiveCopying(),
            "Repeat 16 data tokens that are scattered among noise.",
            new(Length: 8192, Shortest: 64, Steps: 16_000, Batch: 16, LearningRate: 3e-3, LastRate: 0, Dropout: 0, Longest: 1 << 16)),
        Create(
            new InductionHeads(),
            "Recall what followed a special token.",
            new(Length: 256, Shortest: null, Steps: 48_000, Batch: 8, LearningRate: 3e-3, LastRate: 0.01, Dropout: 0.1f, Longest: 1 << 20)),
    };

    private static Command Create(SyntheticTask task, string description, Recipe recipe)
    {
        Option<string> output = new("--output") { Description = "Folder of the run; ends as a model folder with accuracy.json and pictures.", Required = true };
        Option<int> trained = Options.Number("--length", "Length of the sequences of training; selective copying begins with shorter ones.", recipe.Length, task.MinLength, 1 << 24);
        Option<long> total = Options.Number("--steps", "Steps of the whole run.", recipe.Steps, 1, long.MaxValue);
        Option<int> windows = Options.Number("--batch", "Sequences of a batch; selective copying takes fewer of the longer ones.", recipe.Batch, 1, int.MaxValue);
        Option<double> peak = Options.Plain("--learning-rate", "The rate after a short warm-up; it goes down half a cosine.", recipe.LearningRate);
        Option<ulong> seed = Options.Number<ulong>("--seed", "The same seed gives the same run.", 1, 0, ulong.MaxValue);
        Option<int> most = Options.Number("--longest", "Greatest length at which the trained model is measured.", recipe.Longest, ExperimentSettings.LeastMeasured, 1 << 30);
        Option<int> sequences = Options.Number("--sequences", "Sequences measured at each length.", 64, 1, 1 << 20);
        Option<int> threads = Options.Threads();
        Option<bool> resume = new("--resume") { Description = "Go on from the newest checkpoint in the folder, to the same bits." };
        Command command = new(task.Name, description) { output, trained, total, windows, peak, seed, most, sequences, threads, resume };
        command.SetAction((parsed, cancel) =>
        {
            long steps = parsed.GetValue(total);
            double rate = Options.LearningRate(parsed, peak);
            ExperimentSettings settings = new()
            {
                Task = task,
                Output = parsed.GetValue(output)!,
                Growth = recipe.Shortest is int shortest ? new LengthGrowth(Math.Min(shortest, parsed.GetValue(trained)), steps) : null,
                Longest = parsed.GetValue(most),
                Sequences = parsed.GetValue(sequences),
                Resume = parsed.GetValue(resume),
                Trainer = new TrainerOptions
                {
                    Steps = steps,
                    Schedule = new LearningRateSchedule(rate, Math.Min(WarmUpSteps, steps), steps, rate * recipe.LastRate),
                    Optimizer = new AdamWOptions { WeightDecay = 0 },
                    Batch = new BatchOptions { Windows = parsed.GetValue(windows), Length = parsed.GetValue(trained), Seed = parsed.GetValue(seed) },
                    Dropout = recipe.Dropout,
                    SaveEvery = SaveEvery,
                    Threads = parsed.GetValue(threads),
                },
            };

            ExperimentRun.Execute(settings, parsed, cancel);
            return Task.FromResult(0);
        });
        return command;
    }

    /// <summary>Hyperparameters that solve a task.</summary>
    /// <param name="Length">The length of the sequences.</param>
    /// <param name="Shortest">The least length of training; null for <paramref name="Length"/> alone.</param>
    /// <param name="Steps">Steps of the whole run.</param>
    /// <param name="Batch">Sequences of a batch of the least length.</param>
    /// <param name="LearningRate">The rate after the warm-up.</param>
    /// <param name="LastRate">The rate at the end, as a share of <paramref name="LearningRate"/>.</param>
    /// <param name="Dropout">Dropout rate of each block's output.</param>
    /// <param name="Longest">Greatest length at which the trained model is measured.</param>
    private sealed record Recipe(int Length, int? Shortest, long Steps, int Batch, double LearningRate, double LastRate, float Dropout, int Longest);
}
