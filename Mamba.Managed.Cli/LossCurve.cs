using Mamba.Managed.Cli.Charts;

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
        int group = (points.Count + MostPoints - 1) / MostPoints;
        Series training = new("training", [.. points.Chunk(group).Select(part => ((double)part[^1].Step, part.Average(point => point.Loss)))], Rgb.SteelBlue);
        MetricsLog.Point[] validated = [.. points.Where(point => point.Validation is not null)];
        Series validation = new("validation", [.. validated.Select(point => ((double)point.Step, point.Validation!.Value))], Rgb.OrangeRed, 3);
        Chart chart = new() { XLabel = "step", YLabel = "nats per token", Lines = validated.Length > 0 ? [training, validation] : [training] };
        Picture.Save(chart, folder, Name);
    }
}
