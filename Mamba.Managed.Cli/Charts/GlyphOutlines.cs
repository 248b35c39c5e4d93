using System.Globalization;

namespace Mamba.Managed.Cli.Charts;

/// <summary>The letters of charts as outlines, so that a picture is the same on machines with other fonts, or without any.</summary>
/// <remarks>Written by <c>eng/glyph-outlines.py</c>. Other characters than ASCII's printable ones look like a question mark.</remarks>
internal sealed class GlyphOutlines
{
    private const double Units = 1000;
    private const char First = ' ';
    private const int CurveParts = 6;

    private static readonly Lazy<GlyphOutlines> Loaded = new(() => new());

    private readonly List<(double Advance, string Path)> glyphs = [];

    private GlyphOutlines()
    {
        using StreamReader reader = new(typeof(GlyphOutlines).Assembly.GetManifestResourceStream("GlyphOutlines.txt")!);
        while (reader.ReadLine() is { Length: > 0 })
        {
            // The license comes before the first empty line.
        }

        while (reader.ReadLine() is { } line)
        {
            string[] parts = line[2..].Split(' ', 2);
            glyphs.Add((double.Parse(parts[0], CultureInfo.InvariantCulture) / Units, parts.Length > 1 ? parts[1] : ""));
        }
    }

    /// <summary>The width of a text.</summary>
    public static double Width(string text, double size) => text.Sum(letter => Loaded.Value.Of(letter).Advance) * size;

    /// <summary>The contours of a text that begins at the origin, in pixels with y downwards; curves are lines by now.</summary>
    public static IEnumerable<List<(double X, double Y)>> Contours(string text, double size)
    {
        double left = 0;
        foreach (char letter in text)
        {
            (double advance, string path) = Loaded.Value.Of(letter);
            foreach (string contour in path.Split('M', StringSplitOptions.RemoveEmptyEntries))
            {
                yield return Flatten(contour, left, size);
            }

            left += advance * size;
        }
    }

    private (double Advance, string Path) Of(char letter) => glyphs[letter - First is int place && (uint)place < (uint)glyphs.Count ? place : '?' - First];

    private static List<(double X, double Y)> Flatten(string contour, double left, double size)
    {
        List<(double X, double Y)> points = [];
        foreach (string part in contour.Replace("L", "|", StringComparison.Ordinal).Replace("Q", "|", StringComparison.Ordinal).Split('|'))
        {
            double[] numbers = [.. part.Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture) * size / Units)];
            (double X, double Y) end = (left + numbers[^2], -numbers[^1]);
            if (numbers.Length == 4)
            {
                AddCurve(points, (left + numbers[0], -numbers[1]), end);
            }

            points.Add(end);
        }

        return points;
    }

    private static void AddCurve(List<(double X, double Y)> points, (double X, double Y) control, (double X, double Y) end)
    {
        (double X, double Y) start = points[^1];
        for (int i = 1; i < CurveParts; i++)
        {
            double t = (double)i / CurveParts, s = 1 - t;
            points.Add(((s * s * start.X) + (2 * s * t * control.X) + (t * t * end.X), (s * s * start.Y) + (2 * s * t * control.Y) + (t * t * end.Y)));
        }
    }
}
