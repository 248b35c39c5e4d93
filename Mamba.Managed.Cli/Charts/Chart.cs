namespace Mamba.Managed.Cli.Charts;

/// <summary>A line of a chart.</summary>
/// <param name="Name">Its name in the legend.</param>
/// <param name="Points">From left to right; a point that is not a number interrupts the line.</param>
/// <param name="Color">Its color.</param>
/// <param name="Marker">The radius of the disc at each point; 0 for none.</param>
internal sealed record Series(string Name, IReadOnlyList<(double X, double Y)> Points, Rgb Color, double Marker = 0);

/// <summary>A dashed line from top to bottom.</summary>
/// <param name="Name">Its name in the legend.</param>
/// <param name="X">Where it is.</param>
internal sealed record Mark(string Name, double X);

/// <summary>Lines over two axes.</summary>
internal sealed record Chart
{
    private const double TextSize = 14;
    private const double LineWidth = 2;
    private const double Gap = 8;
    private const double Dash = 10;
    private const double LegendLine = 22;
    private const double LegendSample = 26;
    private const int MostTicks = 8;

    // Far beyond any loss; sums of these are still numbers.
    private const double Largest = 1e100;

    /// <summary>What x is.</summary>
    public required string XLabel { get; init; }

    /// <summary>What y is.</summary>
    public required string YLabel { get; init; }

    /// <summary>The lines, the later ones above.</summary>
    public required IReadOnlyList<Series> Lines { get; init; }

    /// <summary>A marked place, if there is one.</summary>
    public Mark? Mark { get; init; }

    /// <summary>The ticks of x, if not at round numbers.</summary>
    public IReadOnlyList<Tick>? XTicks { get; init; }

    /// <summary>The limits of y, if not those of the points.</summary>
    public (double Low, double High)? YLimits { get; init; }

    /// <summary>Whether the legend is in the lower left corner instead of the upper right.</summary>
    public bool HasLegendBelow { get; init; }

    /// <summary>Draws the chart.</summary>
    /// <param name="canvas">Where.</param>
    /// <param name="width">Its width.</param>
    /// <param name="height">Its height.</param>
    public void Draw(ICanvas canvas, int width, int height)
    {
        (double Low, double High) xs = Limits(point => point.X, Mark is null ? [] : [Mark.X]), ys = YLimits ?? Limits(point => point.Y, []);
        Tick[] rows = Tick.Between(ys.Low, ys.High, MostTicks);
        IReadOnlyList<Tick> columns = XTicks ?? Tick.Between(xs.Low, xs.High, MostTicks);
        double labels = rows.Select(row => GlyphOutlines.Width(row.Label, TextSize)).DefaultIfEmpty(0).Max();
        double left = Math.Round((2 * TextSize) + labels + (3 * Gap)), right = width - (3 * Gap), top = 2 * Gap, bottom = height - (2 * TextSize) - (4 * Gap);
        canvas.Rectangle(0, 0, width, height, Rgb.White);
        foreach (Tick column in columns)
        {
            double x = Math.Round(X(column.Value));
            canvas.Rectangle(x, top, 1, bottom - top, Rgb.Grid);
            canvas.Text(x, bottom + TextSize + Gap, column.Label, TextSize, Anchor.Middle);
        }

        foreach (Tick row in rows)
        {
            double y = Math.Round(Y(row.Value));
            canvas.Rectangle(left, y, right - left, 1, Rgb.Grid);
            canvas.Text(left - Gap, y + (TextSize / 3), row.Label, TextSize, Anchor.End);
        }

        canvas.Rectangle(left, top, 1, bottom - top, Rgb.Ink);
        canvas.Rectangle(left, bottom, right - left, 1, Rgb.Ink);
        canvas.Text((left + right) / 2, height - Gap, XLabel, TextSize + 1, Anchor.Middle);
        canvas.Text(Gap + TextSize, (top + bottom) / 2, YLabel, TextSize + 1, Anchor.Middle, upwards: true);
        if (Mark is not null)
        {
            for (double y = top; y < bottom; y += 2 * Dash)
            {
                canvas.Line([(X(Mark.X), y), (X(Mark.X), Math.Min(y + Dash, bottom))], Rgb.OrangeRed, 1);
            }
        }

        foreach (Series line in Lines)
        {
            DrawLine(canvas, line, point => (X(point.X), Y(point.Y)));
        }

        DrawLegend(canvas, right, top, left, bottom);

        double X(double value) => left + ((value - xs.Low) / (xs.High - xs.Low) * (right - left));
        double Y(double value) => bottom - ((value - ys.Low) / (ys.High - ys.Low) * (bottom - top));
    }

    private static bool IsNumber((double X, double Y) point) => Math.Abs(point.X) <= Largest && Math.Abs(point.Y) <= Largest;

    private static void DrawLine(ICanvas canvas, Series line, Func<(double X, double Y), (double X, double Y)> place)
    {
        List<(double X, double Y)> piece = [];
        foreach ((double X, double Y) point in line.Points.Append((double.NaN, double.NaN)))
        {
            if (IsNumber(point))
            {
                piece.Add(place(point));
                continue;
            }

            if (piece.Count > 1)
            {
                canvas.Line(piece.ToArray(), line.Color, LineWidth);
            }

            // A single point would not be seen without a disc.
            double radius = piece.Count == 1 ? Math.Max(line.Marker, LineWidth) : line.Marker;
            foreach ((double x, double y) in radius > 0 ? piece : [])
            {
                canvas.Disc(x, y, radius, line.Color);
            }

            piece.Clear();
        }
    }

    private void DrawLegend(ICanvas canvas, double right, double top, double left, double bottom)
    {
        string[] names = [.. Lines.Select(line => line.Name), .. Mark is null ? (string[])[] : [Mark.Name]];
        double wide = names.Max(name => GlyphOutlines.Width(name, TextSize)) + LegendSample + (3 * Gap), tall = (names.Length * LegendLine) + Gap;
        double x = Math.Round(HasLegendBelow ? left + Gap : right - Gap - wide), y = HasLegendBelow ? bottom - Gap - tall : top + Gap;
        canvas.Rectangle(x, y, wide, tall, Rgb.Grid);
        canvas.Rectangle(x + 1, y + 1, wide - 2, tall - 2, Rgb.White);
        for (int i = 0; i < names.Length; i++)
        {
            double middle = y + (Gap / 2) + ((i + 0.5) * LegendLine), start = x + Gap, end = start + LegendSample;
            if (i < Lines.Count)
            {
                canvas.Line([(start, middle), (end, middle)], Lines[i].Color, LineWidth);
                if (Lines[i].Marker > 0)
                {
                    canvas.Disc((start + end) / 2, middle, Lines[i].Marker, Lines[i].Color);
                }
            }
            else
            {
                canvas.Line([(start, middle), (start + Dash, middle)], Rgb.OrangeRed, 1);
                canvas.Line([(end - Dash, middle), (end, middle)], Rgb.OrangeRed, 1);
            }

            canvas.Text(end + Gap, middle + (TextSize / 3), names[i], TextSize, Anchor.Start);
        }
    }

    // A little more than the points, so that none lies on the edge; something around a single value.
    private (double Low, double High) Limits(Func<(double X, double Y), double> side, IEnumerable<double> others)
    {
        double[] values = [.. Lines.SelectMany(line => line.Points).Where(IsNumber).Select(side), .. others];
        (double low, double high) = values.Length == 0 ? (0, 1) : (values.Min(), values.Max());
        double margin = high - low > Math.Abs(high) * 1e-9 ? (high - low) / 25 : Math.Max(Math.Abs(high) / 10, 0.5);
        return (low - margin, high + margin);
    }
}
