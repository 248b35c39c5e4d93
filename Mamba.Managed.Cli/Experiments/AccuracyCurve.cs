using System.Globalization;
using Mamba.Managed.Training;
using ScottPlot;
using ScottPlot.Plottables;
using ScottPlot.TickGenerators;

namespace Mamba.Managed.Cli.Experiments;

/// <summary>The accuracy at each length, as <c>accuracy.svg</c> and <c>accuracy.png</c>; the length of training is marked.</summary>
internal static class AccuracyCurve
{
    /// <summary>Draws the curve.</summary>
    /// <param name="settings">The task, and the folder for the pictures.</param>
    /// <param name="found">One point for each length.</param>
    public static void Draw(ExperimentSettings settings, IReadOnlyList<TaskAccuracy> found)
    {
        using Plot plot = new();
        double[] places = [.. found.Select(accuracy => Math.Log2(accuracy.Length))];
        Scatter scatter = plot.Add.Scatter(places, (double[])[.. found.Select(accuracy => 100 * accuracy.Share)], Colors.SteelBlue);
        (scatter.MarkerSize, scatter.LineWidth, scatter.LegendText) = (7, 2, settings.Task.Name);
        VerticalLine trained = plot.Add.VerticalLine(Math.Log2(settings.Trainer.Batch.Length), 1, Colors.OrangeRed, LinePattern.Dashed);
        trained.LegendText = string.Create(CultureInfo.InvariantCulture, $"trained at {(settings.Growth is null ? "" : $"{settings.Growth.Shortest} to ")}{settings.Trainer.Batch.Length}");
        plot.Axes.Bottom.TickGenerator = new NumericManual(places, [.. found.Select(accuracy => Label(accuracy.Length))]);
        plot.XLabel("length");
        plot.YLabel("right answers, %");
        plot.Axes.SetLimitsY(0, 105);
        plot.ShowLegend(Alignment.LowerLeft);
        Picture.Save(plot, settings.Output, "accuracy");
    }

    private static string Label(int length) => length switch
    {
        >= 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{length >> 20}M"),
        >= 1 << 10 => string.Create(CultureInfo.InvariantCulture, $"{length >> 10}k"),
        _ => length.ToString(CultureInfo.InvariantCulture),
    };
}
