using System.Globalization;
using Mamba.Managed.Cli.Charts;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli.Experiments;

/// <summary>The accuracy at each length, as <c>accuracy.svg</c> and <c>accuracy.png</c>; the length of training is marked.</summary>
internal static class AccuracyCurve
{
    /// <summary>Draws the curve.</summary>
    /// <param name="settings">The task, and the folder for the pictures.</param>
    /// <param name="found">One point for each length.</param>
    public static void Draw(ExperimentSettings settings, IReadOnlyList<TaskAccuracy> found)
    {
        string trained = string.Create(CultureInfo.InvariantCulture, $"trained at {(settings.Growth is null ? "" : $"{settings.Growth.Shortest} to ")}{settings.Trainer.Batch.Length}");
        Chart chart = new()
        {
            XLabel = "length",
            YLabel = "right answers, %",
            Lines = [new(settings.Task.Name, [.. found.Select(accuracy => (Math.Log2(accuracy.Length), 100 * accuracy.Share))], Rgb.SteelBlue, 4)],
            Mark = new(trained, Math.Log2(settings.Trainer.Batch.Length)),
            XTicks = [.. found.Select(accuracy => new Tick(Math.Log2(accuracy.Length), Label(accuracy.Length)))],
            YLimits = (0, 105),
            HasLegendBelow = true,
        };
        Picture.Save(chart, settings.Output, "accuracy");
    }

    private static string Label(int length) => length switch
    {
        >= 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{length >> 20}M"),
        >= 1 << 10 => string.Create(CultureInfo.InvariantCulture, $"{length >> 10}k"),
        _ => length.ToString(CultureInfo.InvariantCulture),
    };
}
