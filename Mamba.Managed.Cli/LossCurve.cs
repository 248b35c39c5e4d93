using ScottPlot;
using ScottPlot.Plottables;

namespace Mamba.Managed.Cli;

/// <summary>The loss curve of a run as <c>curve.svg</c> and <c>curve.png</c>.</summary>
internal static class LossCurve
{
    /// <summary>The name of the files, without extension.</summary>
    public const string Name = "curve";

    // More points than pixels would not be visible.
    private const int MostPoints = 1500;

    /// <summary>Draws the curve.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="points">At least one.</param>
    public static void Draw(string folder, IReadOnlyList<MetricsLog.Point> points)
    {
        using Plot plot = new();
        plot.XLabel("step");
        plot.YLabel("nats per token");
        int group = (points.Count + MostPoints - 1) / MostPoints;
        MetricsLog.Point[][] groups = [.. points.Chunk(group)];
        Add("training", [.. groups.Select(part => (double)part[^1].Step)], [.. groups.Select(part => part.Average(point => point.Loss))], Colors.SteelBlue, 0);
        MetricsLog.Point[] validated = [.. points.Where(point => point.Validation is not null)];
        Add("validation", [.. validated.Select(point => (double)point.Step)], [.. validated.Select(point => point.Validation!.Value)], Colors.OrangeRed, 5);
        plot.ShowLegend(Alignment.UpperRight);
        Picture.Save(plot, folder, Name);

        void Add(string name, double[] steps, double[] losses, Color color, float marker)
        {
            if (steps.Length > 0)
            {
                Scatter scatter = plot.Add.Scatter(steps, losses, color);
                (scatter.LegendText, scatter.MarkerSize, scatter.LineWidth) = (name, marker, 2);
            }
        }
    }
}
